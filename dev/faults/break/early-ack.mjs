// Acknowledges every message on delivery: messages in flight are lost if the worker dies.
import { model } from './amqplib.mjs';

const { prototype } = model.Channel;
const { consume } = prototype;
prototype.consume = function (queue, callback, options) {
  return consume.call(this, queue, callback, { ...options, noAck: true });
};
for (const name of ['ack', 'ackAll', 'nack', 'nackAll', 'reject']) prototype[name] = () => undefined;
