// Returns the tokens of a call instead of using them.
import { Tokens } from '../../../runtime/event-source/limited/tokens.ts';

Tokens.prototype.use = async function () {
  this.keep(0);
};
