import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A webhook that alerts are sent to, and that can refuse one of them again and again. */
export interface Hook {
  url: string;
  /** The bodies that it accepted. */
  accepted: readonly string[];
  /** Refuses the next new alert with 500, also when it is sent again, until `acceptAll`. */
  refuseNext(): void;
  acceptAll(): void;
  /** How often it refused. */
  refusals(): number;
  stop(): Promise<void>;
}

export async function startHook(): Promise<Hook> {
  const accepted: string[] = [];
  let refusals = 0;
  let refused: string | 'next' | undefined;
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const key = String(request.headers['idempotency-key']);
    if (refused === 'next') refused = key;
    if (refused === key) refusals += 1;
    else accepted.push(body);
    response.writeHead(refused === key ? 500 : 200).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    accepted,
    refuseNext() {
      refused = 'next';
    },
    acceptAll() {
      refused = undefined;
    },
    refusals: () => refusals,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
