import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createMetrics, type Metrics } from '../../runtime/hosts/metrics.ts';

/** The metrics of a worker at an address of their own. */
export interface ServedMetrics {
  metrics: Metrics;
  url: string;
  close(): void;
}

/** Starts a server that answers as the `/metrics` of a worker. */
export async function serveMetrics(): Promise<ServedMetrics> {
  const metrics = createMetrics();
  const server = createServer((_request, response) => {
    void metrics.read().then(({ text, contentType }) => {
      response.writeHead(200, { 'content-type': contentType }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    metrics,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`,
    close() {
      metrics.close();
      server.closeAllConnections();
      server.close();
    },
  };
}
