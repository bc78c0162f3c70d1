import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { StackError } from './stack-error.ts';

/**
 * Picks an unused port. It is below the range from which systems take the ports of outgoing connections (from 32768 on Linux), or one
 * of those could get in between picking a port and listening on it; at random, so that two programs do not meet.
 */
export async function freePort(taken: readonly number[] = []): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (!taken.includes(port) && (await isFree(port))) return port;
  }
}

/** Whether a port of 127.0.0.1 is unused. Throws StackError if it needs rights that this user lacks. */
export async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else if (error.code === 'EACCES')
        reject(new StackError(`port ${port} needs rights that this user lacks`));
      else reject(error);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
