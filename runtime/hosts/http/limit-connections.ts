import type { Server, Socket } from 'node:net';
import type { Log } from '../../base/log.ts';

/** Milliseconds between two lines about connections that were refused. */
const warningMs = 10_000;

/**
 * Closes connections above a limit at once. Node's `maxConnections` closes none in a process of a cluster: the first process takes
 * the refusal for that of a process that ends, and offers the connection again without an end.
 */
export function limitConnections(server: Server, connectionLimit: number, log: Log): void {
  let open = 0;
  let warnedAt = Number.NEGATIVE_INFINITY;
  server.on('connection', (socket: Socket) => {
    if (open < connectionLimit) {
      open += 1;
      socket.once('close', () => {
        open -= 1;
      });
      return;
    }
    socket.destroy();
    if (performance.now() - warnedAt < warningMs) return;
    warnedAt = performance.now();
    log.warn({ connectionLimit }, 'too many connections, closing new ones');
  });
}
