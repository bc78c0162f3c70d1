// Says of each mail to a team that it was sent, and sends none.
import { pretend } from './mail.mjs';

pretend(({ to }) => /^(ops|api)@/.test(to.address));
