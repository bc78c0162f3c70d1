// Lets the messages behind a failed one pass, as a copy in a retry queue would.
import { KeyLanes } from '../../../runtime/event-source/ordered/key-lanes.ts';

const { delay, done } = KeyLanes.prototype;
KeyLanes.prototype.delay = function (held, ms) {
  if (ms > 0) {
    done.call(this, held);
    held.key = undefined;
  }
  delay.call(this, held, ms);
};
