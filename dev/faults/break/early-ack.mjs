// Acknowledges every message as soon as it is delivered: what a worker has in hand when it dies is lost.
import { model } from './amqplib.mjs';

const { prototype } = model.Channel;
const { consume } = prototype;
prototype.consume = function (queue, callback, options) {
  return consume.call(this, queue, callback, { ...options, noAck: true });
};
for (const name of ['ack', 'ackAll', 'nack', 'nackAll', 'reject']) prototype[name] = () => undefined;
