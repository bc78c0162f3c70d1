import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Groups, Session } from '../../../runtime/board/api-types.ts';
import { stack } from '../../support/stack.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';
import { runWarren, warrenArguments, warrenEnvironment } from '../../support/warren-command.ts';

let vhost: TestVhost;
let folder: string;
let board: ChildProcess | undefined;

beforeAll(async () => {
  vhost = await openVhost({});
  await vhost.channel.deleteQueue('warren.dead-letters');
  await vhost.channel.assertQueue('mails.dlq');
  await vhost.channel.assertQueue('mails', {
    arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'mails.dlq' },
  });
  vhost.channel.sendToQueue('mails', Buffer.from('hello'), { messageId: 'm1', expiration: '1' });
  await vhost.channel.waitForConfirms();
  folder = await mkdtemp(join(tmpdir(), 'warren-board-command-'));
  await writeFile(join(folder, 'index.html'), '<title>Board</title>');
});
afterAll(async () => {
  board?.kill('SIGKILL');
  await vhost?.close();
  await rm(folder, { recursive: true });
});

describe('warren board', () => {
  it('board: in a virtual host without a Warren project, it finds the dead letters of other clients and serves the page', async () => {
    const env = warrenEnvironment({
      AMQP_URL: vhost.url,
      AMQP_MANAGEMENT_URL: stack.AMQP_MANAGEMENT_URL,
      WARREN_CACHE: folder,
      WARREN_BOARD_PAGE: folder,
      LOG_LEVEL: 'info',
    });
    const child = spawn(process.execPath, warrenArguments(['board', '--port', '0']), {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    board = child;
    let base = '';
    for await (const line of createInterface({ input: child.stdout })) {
      const { msg, port } = JSON.parse(line) as { msg: string; port?: number };
      base = `http://localhost:${port}`;
      if (msg === 'serving') break;
    }
    expect(await (await fetch(base)).text()).toBe('<title>Board</title>');
    const groups = async () => ((await (await fetch(`${base}/api/groups`)).json()) as Partial<Groups>).groups;
    await expect
      .poll(groups, { timeout: 60_000 })
      .toMatchObject([{ queue: 'mails', reason: 'expired', count: 1 }]);
    const session = (await (await fetch(`${base}/api/session`)).json()) as Session;
    expect(session.sources).toMatchObject([{ queue: 'mails.dlq', kind: 'classic', total: 1, problem: null }]);
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
  });

  it('board: without an issuer, it refuses to listen to another address than that of this machine', async () => {
    const { code, err } = await runWarren(['board', '--host', '0.0.0.0'], { AMQP_URL: vhost.url });
    expect([code === 0, err]).toEqual([false, expect.stringContaining('BOARD_ISSUER')]);
  });
});
