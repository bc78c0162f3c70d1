import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { openDeps, uniqueId } from '../../support/deps.ts';
import { plain } from '../../support/pictures.ts';
import { stack } from '../../support/stack.ts';

describe('a picture that crashes its worker', () => {
  const deps = openDeps();
  let broker: TestBroker;
  let folder: string;
  beforeAll(async () => {
    broker = await openBroker();
    folder = await mkdtemp(join(tmpdir(), 'warren-deadly-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
    await Promise.all([broker.close(), deps.close()]);
  });

  it('is dead-lettered at the delivery limit and failed with a reason, and the next picture is resized', async () => {
    const dead = await broker.queue('dead');
    const queue = await broker.queue('deadly', {
      'x-queue-type': 'quorum',
      'x-delivery-limit': 3,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': dead,
    });
    const announce = async (name: string) => {
      const image_id = uniqueId();
      const image_path = `originals/${name}-${image_id}.png`;
      await deps.storage.put(image_path, await plain(40, 20).png().toBuffer(), 'image/png');
      await broker.send(queue, { image_id, user_id: 1, image_path }, { contentType: 'application/json' });
      return image_id;
    };
    const rowOf = (id: number) =>
      deps.db.selectFrom('pictures').select(['status', 'reason']).where('id', '=', id).executeTakeFirst();
    const deadly = await announce('deadly');
    const manifest = join(folder, 'warren.json');
    const handler = `${relative(folder, projectFile('test/support/deadly'))}.handler`;
    const definition = { handler, timeout: 20, events: [{ rabbitmq: { queue, batchSize: 1 } }] };
    await writeFile(manifest, JSON.stringify({ functions: { deadly: definition } }));
    const start = () =>
      spawn(
        process.execPath,
        [projectFile('dev/warren.mjs'), 'worker', '--processes', '0', '-m', manifest, '--no-http'],
        {
          env: { ...process.env, ...stack, LOG_LEVEL: 'silent' },
          stdio: 'ignore',
        },
      );

    // The worker restarts each time, as a container does. A limit of 3 allows four deliveries.
    for (let delivery = 1; delivery <= 4; delivery += 1) {
      expect(await once(start(), 'exit')).toEqual([null, 'SIGKILL']);
    }
    const deadLetter = await broker.take(dead);
    expect(JSON.parse(deadLetter.content.toString())).toMatchObject({ image_id: deadly });
    expect(await rowOf(deadly)).toEqual({
      status: 'failed',
      reason: expect.stringMatching(/ended the function that worked on it/),
    });

    const harmless = await announce('harmless');
    const worker = start();
    try {
      await expect.poll(() => rowOf(harmless), { timeout: 20_000 }).toMatchObject({ status: 'ready' });
    } finally {
      worker.kill('SIGKILL');
      await once(worker, 'exit');
    }
  }, 90_000);
});
