// Opens a connection beside each that it needs, and keeps it.
import { createRequire } from 'node:module';

const amqplib = createRequire(import.meta.url)('amqplib');
const { connect } = amqplib;
amqplib.connect = async (...given) => {
  const spare = await connect(...given);
  spare.on('error', () => undefined);
  return connect(...given);
};
