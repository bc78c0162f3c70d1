// Takes each reply for sent, and sends none.
import { model } from './amqplib.mjs';

const { prototype } = model.ConfirmChannel;
const { publish } = prototype;
prototype.publish = function (exchange, routingKey, content, options, settle) {
  if (exchange !== '' || options.correlationId === undefined) {
    return publish.call(this, exchange, routingKey, content, options, settle);
  }
  setImmediate(settle, null);
  return true;
};
