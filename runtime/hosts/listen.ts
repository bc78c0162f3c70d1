import { WarrenError } from '../base/errors.ts';

/** The parts of a taken port's error that its advice needs. */
interface ListenError extends Error {
  code?: string;
  port?: number;
}

/**
 * The error of a server that could not bind its port.
 *
 * @param advice how to choose another one.
 */
export function listenError(cause: unknown, advice: string): unknown {
  const { code, port } = cause as ListenError;
  if (code !== 'EADDRINUSE' && code !== 'EACCES') return cause;
  const problem = code === 'EADDRINUSE' ? 'is taken' : 'may not be bound';
  return new WarrenError('ERR_PORT_TAKEN', `port ${port} ${problem}: ${advice}`, { cause });
}
