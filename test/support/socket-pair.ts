import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';

/** The two ends of a connection. */
export async function socketPair(): Promise<{ near: Socket; far: Socket; close: () => void }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const near = createConnection(port, '127.0.0.1');
  const [far] = await accepted;
  const close = () => {
    near.destroy();
    far.destroy();
    server.close();
  };
  return { near, far, close };
}
