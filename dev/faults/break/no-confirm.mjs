// Takes a message for safe as soon as it is written to the socket.
import { model } from './amqplib.mjs';

const { prototype } = model.ConfirmChannel;
const { publish } = prototype;
prototype.publish = function (exchange, routingKey, content, options, settle) {
  const result = publish.call(this, exchange, routingKey, content, options, () => undefined);
  setImmediate(settle, null);
  return result;
};

export function mend() {
  prototype.publish = publish;
}
