import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../runtime/base/log.ts';
import { readManifest } from '../../../../runtime/hosts/manifest.ts';
import { Worker } from '../../../../runtime/hosts.ts';
import type { TestBroker } from '../../../support/broker.ts';
import { program } from '../../../support/function-processes.ts';
import { stack } from '../../../support/stack.ts';
import { steadyLoad } from '../../../support/steady-load.ts';
import { isAlive, type WorkerFolder } from '../../../support/worker-process.ts';
import { testWorkers } from '../../../support/workers.ts';

/** A handler that notes its version, and its process with each message. */
const versioned = (version: number) => `
import { appendFileSync, existsSync } from 'node:fs';
const note = (fields) =>
  appendFileSync(new URL('notes', import.meta.url), JSON.stringify({ ...fields, pid: process.pid, table: '${version}' }) + '\\n');
export async function handler(event) {
  const [message] = Object.values(event.rmqMessagesByQueue).flat();
  const { n, until, ms = 10 } = JSON.parse(Buffer.from(message.data, 'base64').toString());
  note({ step: 'begin', n });
  do await new Promise((resolve) => setTimeout(resolve, ms));
  while (until && !existsSync(new URL(until, import.meta.url)));
  note({ step: 'end', n });
}
`;

describe('a reload of functions in processes of their own', () => {
  let broker: TestBroker;
  let folder: WorkerFolder;
  let worker: Worker;
  let queue: string;

  const { done } = testWorkers((made, at) => {
    broker = made;
    folder = at;
  });
  afterEach(() => worker.stop());

  const save = (version: number) => folder.write('versioned.mjs', versioned(version));
  const start = async () => {
    queue = await broker.queue('reloaded');
    await save(0);
    const reloaded = {
      handler: 'versioned.handler',
      timeout: 20,
      events: [{ rabbitmq: { queue, batchSize: 1 } }],
    };
    const custom = { warren: { queues: { [queue]: { concurrency: 20 } } } };
    worker = new Worker({
      manifest: readManifest(JSON.stringify({ functions: { reloaded }, custom })),
      folder: folder.path,
      url: stack.AMQP_URL,
      log: silentLog,
      isolation: program,
    });
    await worker.start();
  };
  const versionOf = (n: unknown) => folder.notes().find((note) => note.n === n)?.table;

  it('the next call runs the new code, a call in flight ends on the old code, and its process then ends', async () => {
    await start();
    await broker.send(queue, { n: 'long', until: 'told' });
    await expect.poll(() => folder.steps('long'), { timeout: 20_000 }).toEqual(['begin']);
    await save(1);
    await worker.reload();
    await broker.send(queue, { n: 'next' });
    await done('next');
    expect(folder.steps('long')).toEqual(['begin']);
    await folder.mark('told');
    await done('long');
    expect([versionOf('next'), versionOf('long')]).toEqual(['1', '0']);
    const old = folder.notes().find(({ n }) => n === 'long')?.pid ?? 0;
    await expect.poll(() => isAlive(old), { timeout: 10_000 }).toBe(false);
  }, 60_000);

  it('code that cannot be loaded is reported, and the old code goes on', async () => {
    await start();
    await folder.write('versioned.mjs', 'export const handler = ;');
    await expect(worker.reload()).rejects.toThrow(/Unexpected token/);
    await broker.send(queue, { n: 'old' });
    await done('old');
    expect(versionOf('old')).toBe('0');
    await save(2);
    await worker.reload();
    await broker.send(queue, { n: 'mended' });
    await done('mended');
    expect(versionOf('mended')).toBe('2');
  }, 60_000);

  const reloads = Number(process.env['WARREN_RELOADS'] ?? 5);
  it(
    'under 100 messages a second, reloads lose no message and run none twice',
    async () => {
      await start();
      const ended = () => folder.notes().filter(({ step }) => step === 'end');
      const load = steadyLoad(
        (n) => broker.send(queue, { n, ms: 20 }),
        () => ended().length,
      );
      for (let version = 1; version <= reloads; version += 1) {
        await save(version);
        await worker.reload();
      }
      const sent = await load.stop();
      const all = Array.from({ length: sent }, (_, n) => n);
      await expect.poll(() => new Set(ended().map(({ n }) => n)).size, { timeout: 60_000 }).toBe(sent);
      const begun = folder.notes().filter(({ step }) => step === 'begin');
      expect(begun.map(({ n }) => Number(n)).toSorted((a, b) => a - b)).toEqual(all);
      // Each message ran once, the last ones on the last code, on many processes that have all ended but one.
      expect(new Set(begun.map(({ table }) => table)).size).toBeGreaterThan(reloads / 2);
      const pids = [...new Set(begun.map(({ pid }) => pid))];
      await expect.poll(() => pids.filter(isAlive).length, { timeout: 10_000 }).toBeLessThanOrEqual(1);
    },
    120_000 + reloads * 10_000,
  );
});
