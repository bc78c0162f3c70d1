import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

/** amqplib's own classes, which it does not export. */
export const model = require(join(dirname(require.resolve('amqplib')), 'lib/channel_model.js'));
