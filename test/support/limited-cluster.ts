/** A cluster of one process that serves two connections at a time. Its first process prints the port, and ends with its parent. */
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { silentLog } from '../../runtime/base/log.ts';
import { limitConnections } from '../../runtime/hosts/http/limit-connections.ts';

if (cluster.isPrimary) {
  const worker = cluster.fork();
  worker.on('listening', ({ port }) => process.send?.(port));
  process.once('disconnect', () => process.exit(worker.process.kill('SIGKILL') ? 0 : 1));
} else {
  const server = createServer((_request, response) => response.end('answer'));
  limitConnections(server, 2, silentLog);
  server.listen(0, '127.0.0.1');
}
