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

/** Attempts on ports of other numbers. */
const maxTries = 5;

/**
 * Starts programs on unused ports, and again on others if another program has taken one before they listened on it.
 *
 * @param names of the ports.
 * @param start has ended everything that it has started when it throws.
 * @throws the error of `start`.
 */
export async function onFreePorts<Name extends string, Started>(
  names: readonly Name[],
  start: (ports: Record<Name, number>) => Promise<Started>,
): Promise<Started> {
  for (let tries = 1; ; tries += 1) {
    const ports = await freePorts(names);
    try {
      return await start(ports);
    } catch (error) {
      const areFree = await Promise.all(Object.values<number>(ports).map(isFree));
      if (tries === maxTries || areFree.every(Boolean)) throw error;
    }
  }
}

/** Picks an unused port for each name, as `freePort`. */
export async function freePorts<Name extends string>(names: readonly Name[]): Promise<Record<Name, number>> {
  const chosen: [Name, number][] = [];
  for (const name of names) chosen.push([name, await freePort(chosen.map(([, port]) => port))]);
  return Object.fromEntries(chosen) as Record<Name, number>;
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
