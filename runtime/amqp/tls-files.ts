import { readFile } from 'node:fs/promises';
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls';
import { WarrenError } from '../base/errors.ts';
import type { UriParameters } from './uri-parameters.ts';

type TlsOptions = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'passphrase' | 'rejectUnauthorized' | 'secureContext' | 'servername'
>;

const files = { ca: 'cacertfile', cert: 'certfile', key: 'keyfile' } as const;

/**
 * Reads the TLS parameters of a broker's URL, and the files in PEM that they name.
 *
 * @returns options for Node's TLS socket.
 * @throws WarrenError ERR_CONFIG if a file cannot be read or used.
 * @see https://www.rabbitmq.com/docs/uri-query-parameters
 */
export async function readTls(parameters: UriParameters): Promise<TlsOptions> {
  const { password, verify, serverNameIndication } = parameters;
  const named = Object.entries(files).flatMap(([option, parameter]) => {
    const path = parameters[parameter];
    return path === undefined ? [] : [{ option, parameter, path }];
  });
  const read = named.map(async ({ option, parameter, path }) => {
    const content = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
      const problem = `${parameter}: expected a file in PEM, got ${cause.code}`;
      throw new WarrenError('ERR_CONFIG', `the URL of the broker: ${problem}`, { cause });
    });
    return [option, content] as const;
  });
  const identity = {
    ...Object.fromEntries(await Promise.all(read)),
    ...(password !== undefined && { passphrase: password }),
  };
  return {
    // An agent of HTTPS shares connections by these.
    ...identity,
    ...(named.length > 0 && { secureContext: contextOf(identity) }),
    rejectUnauthorized: verify !== 'verify_none',
    ...(serverNameIndication !== undefined && { servername: serverNameIndication }),
  };
}

/** The socket takes it as it is, so that it is made once. */
function contextOf(identity: TlsOptions): SecureContext {
  try {
    return createSecureContext(identity);
  } catch (cause) {
    const parts = 'cacertfile, certfile, keyfile, password';
    throw new WarrenError('ERR_CONFIG', `the URL of the broker: ${parts}: expected files in PEM that fit`, {
      cause,
    });
  }
}
