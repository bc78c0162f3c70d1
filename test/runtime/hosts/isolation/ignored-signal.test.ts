import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../../../dev/stack/project.ts';
import { eventOf, FunctionFolder } from '../../../support/function-processes.ts';
import { isAlive } from '../../../support/worker-process.ts';

/** Notes each run, and waits for as long as the message requests; only `honors` ends with its signal. */
const module = `
import { appendFileSync } from 'node:fs';
import { z } from 'zod';
import { onCalls, onMessages } from ${JSON.stringify(projectFile('runtime/functions.ts'))};
import { recordingPublisher } from ${JSON.stringify(projectFile('runtime/testing.ts'))};
const options = { publisher: recordingPublisher(), log: { debug() {}, info() {}, warn() {}, error() {} } };
const work = async ({ body }, { signal }) => {
  appendFileSync(new URL('notes', import.meta.url), JSON.stringify({ ...body, pid: process.pid }) + '\\n');
  await new Promise((resolve, reject) => {
    setTimeout(resolve, body.ms);
    if (body.honors) signal.addEventListener('abort', () => reject(signal.reason));
  });
  return process.pid;
};
export const handler = onMessages({ ...options, schema: z.any() }, work);
export const calls = onCalls({ ...options, schema: z.any() }, work);
`;

interface Body {
  n: string;
  ms: number;
  honors?: boolean;
}

describe('a handler that ignores its signal', () => {
  let folder: FunctionFolder;

  beforeAll(async () => {
    folder = await FunctionFolder.make(module);
  });
  afterEach(() => folder.clear());
  afterAll(() => folder.remove());

  const start = async (kind?: 'rpc') => {
    const handler = kind === 'rpc' ? 'work.calls' : 'work.handler';
    const { invoke } = await folder.start({ kind }, { handler, timeout: 3, graceMs: 500 });
    return (body: Body) => invoke(eventOf(body));
  };
  const pidOf = async (n: string): Promise<number | undefined> =>
    (await folder.notes<Body & { pid: number }>()).findLast((note) => note.n === n)?.pid;
  const begun = (n: string) => expect.poll(() => pidOf(n), { timeout: 20_000 }).toBeDefined();
  const forever = 3_600_000;

  it('ends with its process, and a message beside it that hangs as well is free to be called again at once', async () => {
    const call = await start();
    const late = call({ n: 'ignores', ms: forever });
    await begun('ignores');
    expect(await late).toMatchObject({ batchItemFailures: [{ itemIdentifier: '0', fault: false }] });
    // Begun in the same process, before that is replaced.
    const neighbor = call({ n: 'neighbor', ms: forever });
    await expect(neighbor).rejects.toMatchObject({ code: 'ERR_HOST_UNAVAILABLE' });
    const old = (await pidOf('ignores')) as number;
    expect(await pidOf('neighbor')).toBe(old);
    expect(isAlive(old)).toBe(false);
    expect(await call({ n: 'next', ms: 0 })).toEqual({ batchItemFailures: [] });
    expect(await pidOf('next')).not.toBe(old);
  }, 60_000);

  it('that ends with its signal keeps its process', async () => {
    const call = await start();
    await call({ n: 'honors', ms: forever, honors: true });
    // Longer than a handler may ignore its signal.
    await call({ n: 'neighbor', ms: 1500 });
    expect(await pidOf('neighbor')).toBe(await pidOf('honors'));
  }, 60_000);

  it('of a call over RPC ends with its process, and a call beside it that is not made again ends first', async () => {
    const call = await start('rpc');
    const ignored = call({ n: 'ignores', ms: forever });
    await begun('ignores');
    await ignored;
    const neighbor = call({ n: 'neighbor', ms: 1500 });
    await begun('neighbor');
    const old = (await pidOf('ignores')) as number;
    await neighbor;
    expect(await pidOf('neighbor')).toBe(old);
    await expect.poll(() => isAlive(old), { timeout: 10_000 }).toBe(false);
    await call({ n: 'next', ms: 0 });
    expect(await pidOf('next')).not.toBe(old);
  }, 60_000);
});
