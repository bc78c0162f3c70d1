import { readFile } from 'node:fs/promises';
import { WarrenError } from '../base/errors.ts';
import type { BrokerAddress } from './address.ts';

const parameters = { ca: 'cacertfile', cert: 'certfile', key: 'keyfile' } as const;

type TlsFiles = { [Option in keyof typeof parameters]?: Buffer };

/**
 * Reads the files in PEM that the URL of an `amqps` broker names.
 *
 * @returns options for Node's TLS socket; none for another protocol.
 * @throws WarrenError ERR_CONFIG if a file cannot be read.
 * @see https://www.rabbitmq.com/docs/uri-query-parameters
 */
export async function readTlsFiles({ secure, parameters: given }: BrokerAddress): Promise<TlsFiles> {
  if (!secure) return {};
  const files = Object.entries(parameters).flatMap(([option, parameter]) => {
    const path = given.get(parameter);
    return path === undefined ? [] : [{ option, parameter, path }];
  });
  const read = files.map(async ({ option, parameter, path }) => {
    const content = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
      const problem = `${parameter}: expected a file in PEM, got ${cause.code}`;
      throw new WarrenError('ERR_CONFIG', `the URL of the broker: ${problem}`, { cause });
    });
    return [option, content] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}
