// Says of each mail to a friend that it was sent, and sends none.
import { pretend } from './mail.mjs';

pretend(({ to }) => !/^(ops|api)@/.test(to.address));
