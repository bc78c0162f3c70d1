import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Stands between the worker and the broker, and cuts what it carries. */
export async function openProxy({ hostname, port, href }) {
  const pairs = new Set();
  let accepted = 0;
  const server = createServer({ noDelay: true }, (near) => {
    accepted += 1;
    const far = connect({ host: hostname, port: Number(port), noDelay: true });
    const pair = [near, far];
    pairs.add(pair);
    for (const [one, other] of [pair, [far, near]]) {
      one.pipe(other);
      one.on('error', () => undefined);
      one.on('close', () => {
        other.destroy();
        pairs.delete(pair);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(href);
  url.port = String(server.address().port);
  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy();
  };
  return {
    url: url.href,
    cut,
    get accepted() {
      return accepted;
    },
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
