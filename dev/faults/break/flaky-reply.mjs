// Takes one reply in three for sent, and does not send it.
import { model } from './amqplib.mjs';

const { prototype } = model.ConfirmChannel;
const { publish } = prototype;
let count = 0;
prototype.publish = function (exchange, routingKey, content, options, settle) {
  const isReply = exchange === '' && options.correlationId !== undefined;
  if (isReply) count += 1;
  if (!isReply || count % 3 !== 0) return publish.call(this, exchange, routingKey, content, options, settle);
  setImmediate(settle, null);
  return true;
};
