// Answers each call with the answer to another one.
import { model } from './amqplib.mjs';

const { prototype } = model.Channel;
const { publish } = prototype;
prototype.publish = function (exchange, routingKey, content, options) {
  const isReply = exchange === '' && content.toString().startsWith('Pong!');
  return publish.call(this, exchange, routingKey, isReply ? Buffer.from('Pong!call 0') : content, options);
};
