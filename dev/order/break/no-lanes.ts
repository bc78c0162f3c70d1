// Calls the messages of a key at the same time, as if they had none.
import { KeyLanes } from '../../../runtime/event-source/ordered/key-lanes.ts';

const { push } = KeyLanes.prototype;
KeyLanes.prototype.push = function (held) {
  push.call(this, { ...held, key: undefined });
};
