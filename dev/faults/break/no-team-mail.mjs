// Records each mail to a team as sent and sends none.
import { pretend } from './mail.mjs';

pretend(({ to }) => /^(ops|api)@/.test(to.address));
