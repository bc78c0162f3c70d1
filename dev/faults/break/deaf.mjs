// Cancels its consumers of one queue immediately and never replaces them. The Lambda API does not run that queue's function: the
// long poll would do what the workers leave.
import { model } from './amqplib.mjs';

const { prototype } = model.Channel;
const { consume } = prototype;
prototype.consume = async function (queue, callback, options) {
  const consumer = await consume.call(this, queue, callback, options);
  if (queue === 'dog-walk') await this.cancel(consumer.consumerTag);
  return consumer;
};
