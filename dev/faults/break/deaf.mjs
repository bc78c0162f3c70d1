// Cancels its consumers of one queue immediately and never replaces them.
import { model } from './amqplib.mjs';

const { prototype } = model.Channel;
const { consume } = prototype;
prototype.consume = async function (queue, callback, options) {
  const consumer = await consume.call(this, queue, callback, options);
  if (queue === 'log-upload') await this.cancel(consumer.consumerTag);
  return consumer;
};
