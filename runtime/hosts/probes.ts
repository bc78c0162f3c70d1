import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { ReadableMetrics } from './exposition.ts';
import { listenError } from './listen.ts';

/** The answer to a probe; 503 if the program has a problem. */
export interface ProbeAnswer {
  status: 200 | 503;
  text: string;
}

export interface ProbesOptions {
  host: string;
  /** 0 for any; default `probesPort`, or the next free one after it, because a machine may run several hosts. */
  port?: number | undefined;
  metrics: ReadableMetrics;
  /** Whether work may be sent here (`/readyz`). */
  ready: () => ProbeAnswer;
  /** Whether a restart would help (`/healthz`); default that there is an answer at all. */
  healthy?: () => ProbeAnswer;
}

export interface Probes {
  port: number;
  close(): void;
}

/** Port of the probes if none is chosen: that of Prometheus exporters of OpenTelemetry. */
export const probesPort = 9464;
/** Ports that are tried in turn if none is chosen. */
const portsToTry = 100;

export const fine: ProbeAnswer = { status: 200, text: 'ok\n' };

/** Metrics that cannot be read must not end the process, as an unhandled rejection would. */
const failed = (error: unknown): { status: number; text: string; contentType?: string } => ({
  status: 500,
  text: `${error}\n`,
});

/** Serves `/metrics` for Prometheus, `/healthz` and `/readyz` for Kubernetes, on a port of its own. */
export async function serveProbes(options: ProbesOptions): Promise<Probes> {
  const { host, port, metrics, ready, healthy = () => fine } = options;
  const answers: Record<
    string,
    (accept?: string) => Promise<{ status: number; text: string; contentType?: string }>
  > = {
    '/metrics': async (accept) => ({ status: 200, ...(await metrics.read(accept)) }),
    '/readyz': async () => ready(),
    '/healthz': async () => healthy(),
  };
  const server = createServer(async ({ method, url: path = '', headers }, response) => {
    const answer = method === 'GET' ? answers[path.split('?')[0] ?? ''] : undefined;
    const found = (await answer?.(headers.accept).catch(failed)) ?? { status: 404, text: 'not found\n' };
    const { status, text, contentType = 'text/plain' } = found;
    response.writeHead(status, { 'content-type': contentType }).end(text);
  });
  const bind = port === undefined ? listenFrom(server, probesPort, host) : listen(server, port, host);
  await bind.catch((cause: unknown) => {
    throw listenError(cause, 'choose another one for the metrics, or 0 for any');
  });
  return {
    port: (server.address() as { port: number }).port,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  await once(server.listen(port, host), 'listening');
}

/** Binds a port, or the next one that is free. */
async function listenFrom(server: Server, first: number, host: string): Promise<void> {
  for (let port = first; ; port += 1) {
    try {
      return await listen(server, port, host);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || port === first + portsToTry) throw error;
    }
  }
}

/** The answer of a host: whether each queue has a consumer, and each function a process. */
export function report(queues: readonly string[], functions: readonly string[] = []): ProbeAnswer {
  const problems = [
    ...(queues.length > 0 ? [`no consumer: ${queues.join(', ')}\n`] : []),
    ...(functions.length > 0 ? [`no process: ${functions.join(', ')}\n`] : []),
  ];
  return problems.length === 0 ? fine : { status: 503, text: problems.join('') };
}
