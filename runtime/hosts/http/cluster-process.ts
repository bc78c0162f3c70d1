import type { Log } from '../../base/log.ts';
import { endWithParent } from '../isolation/orphan-watch.ts';
import { toSent } from '../isolation/sent-error.ts';
import type { FromHttpProcess, HttpStart, ToHttpProcess } from './cluster-protocol.ts';
import { HttpHost } from './host.ts';
import { createRequestMetrics } from './metrics.ts';

/** One of several processes that serve HTTP, until the process that has forked it or an error ends it. */
export function runHttpProcess(log: Log): void {
  endWithParent();
  // An interrupt at a terminal reaches the children too. The first process decides when they stop.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => undefined);
  const metrics = createRequestMetrics();
  let host: HttpHost | undefined;
  const measure = async (sent?: () => void) =>
    send({ kind: 'measured', metrics: await metrics.values() }, sent);
  const start = async (options: HttpStart) => {
    process.once('uncaughtException', async (error) => {
      log.error({ err: error }, 'an error was not caught, ending in order');
      await host?.stop({ deadlineMs: options.drainMs });
      await end(1);
    });
    try {
      host = new HttpHost({ ...options, env: process.env, log, metrics });
      await host.start();
      send({ kind: 'ready', port: host.port });
    } catch (error) {
      send({ kind: 'unusable', error: toSent(error) });
    }
  };
  // The last message has to leave the process before it ends.
  const end = (code: number) => measure(() => process.exit(code));
  process.on('message', async (message: ToHttpProcess) => {
    if (message.kind === 'start') await start(message.start);
    else if (message.kind === 'measure') await measure();
    else if (message.kind === 'stop') {
      const done = (await host?.stop({ deadlineMs: message.deadlineMs })) ?? true;
      await end(done ? 0 : 1);
    }
  });
  send({ kind: 'listening' });
}

function send(message: FromHttpProcess, sent: () => void = () => undefined): void {
  if (process.connected) process.send?.(message, undefined, undefined, sent);
  else sent();
}
