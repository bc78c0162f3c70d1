import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

/** A part of amqplib that it does not export. */
export const amqplibPart = (name) => require(join(dirname(require.resolve('amqplib')), 'lib', name));
