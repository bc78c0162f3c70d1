import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { Kysely } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { httpEvent } from 'warren/testing';
import { projectFile } from '../../dev/stack/project.ts';
import { type Stack, startStack } from '../../dev/stack/stack.ts';
import { createHandler } from '../../functions/bookings/order-walk.ts';
import { Requester } from '../../runtime/amqp/requester.ts';
import { table } from '../../runtime/cli/table.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { authenticateUsers } from '../../shared/auth/identities.ts';
import { authSettings } from '../../shared/auth/settings.ts';
import { createAuthenticate, mintToken } from '../../shared/auth/tokens.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';
import { context } from '../support/events.ts';
import { type Faulty, faultyServer } from '../support/faults.ts';

const run = promisify(execFile);
const [orders, walkers, times] = [500, 25, 20];
const warren = projectFile('dev/warren.mjs');

/** How long the mail server takes for a mail, in milliseconds: a walk is booked by waiting for it more than by anything else. */
const mailMs = 100;

/** Takes any mail, and its time over each (RFC 5321). */
function mailServer(taken: () => void): (socket: Socket) => void {
  return (socket) => {
    let inData = false;
    socket.write('220 ready\r\n');
    createInterface({ input: socket }).on('line', (line) => {
      if (inData && line !== '.') return;
      if (inData) {
        taken();
        setTimeout(() => socket.write('250 OK\r\n'), mailMs);
      } else if (/^QUIT/i.test(line)) socket.end('221 bye\r\n');
      else socket.write(/^DATA/i.test(line) ? '354 go on\r\n' : '250 OK\r\n');
      inData = !inData && /^DATA/i.test(line);
    });
  };
}

/** The backlog of a day without workers, and how long it takes so many of them; `npx vitest run test/e2e/drain.test.ts`. */
describe(`${orders} orders taken while no worker runs`, () => {
  let folder: string;
  let system: Stack;
  let db: Kysely<Database>;
  let publisher: Requester;
  let mail: Faulty;
  let mails = 0;
  const children: ChildProcess[] = [];
  const rows: string[][] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warren-drain-'));
    mail = await faultyServer(
      mailServer(() => {
        mails += 1;
      }),
    );
    system = await startStack({
      dataDir: join(folder, 'data'),
      ports: 'free',
      functions: undefined,
      report: () => undefined,
      given: { WARREN_STORAGE: 's3rver', SMTP_URL: `smtp://127.0.0.1:${mail.port}` },
    });
    const { DATABASE_URL: url, AMQP_URL } = system.env;
    db = connectDatabase({ url, name: 'drain test', connections: 10 });
    publisher = new Requester({ url: AMQP_URL, name: 'drain test' });
    await db.deleteFrom('walkers').execute();
    const names = Array.from({ length: walkers }, (_, n) => `Walker ${n + 1}`);
    await db
      .insertInto('walkers')
      .values(names.map((name, n) => ({ name, email: `walker-${n + 1}@example.com`, phone: null })))
      .execute();
    const { stdout } = await run(process.execPath, [warren, 'manifest'], {
      env: { ...process.env, ...system.env },
    });
    await writeFile(join(folder, 'warren.json'), stdout);
    // A manifest names handlers from its own folder on.
    await symlink(projectFile('functions'), join(folder, 'functions'));
  }, 300_000);
  afterEach(async () => {
    const ended = children.splice(0).map((child) => {
      const end = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      return end;
    });
    await Promise.all(ended);
    await db.deleteFrom('bookings').execute();
    await db.deleteFrom('mails').execute();
  }, 60_000);
  afterAll(async () => {
    if (rows.length > 0) {
      const head = [
        'workers',
        'orders taken in',
        'answered',
        'first booked after',
        'all told after',
        'a second',
      ];
      console.log(`\n${table(head, rows)}\n`);
    }
    await Promise.all([publisher?.close(), db?.destroy()]);
    await system?.stop();
    await mail?.close();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  const take = async () => {
    const { auth } = readSettings({ auth: authSettings }, system.env);
    const authenticate = authenticateUsers(createAuthenticate(auth), db);
    const handler = createHandler({ db, orders: publisher, authenticate });
    const secret = system.env.AUTH_JWT_SECRET;
    const token = await mintToken({ secret, sub: '1', scopes: ['bookings:write'], expiresInSeconds: 600 });
    const tomorrow = Date.now() + 86_400_000;
    const replies = Array.from({ length: orders }, async (_, n) => {
      const at = new Date(tomorrow + (n % times) * 1_800_000).toISOString();
      const body = { dog: `Dog ${n + 1}`, at, minutes: 30 };
      return handler(httpEvent({ method: 'POST', body, authorization: `Bearer ${token}` }), context);
    });
    return (await Promise.all(replies)).map(({ statusCode, body = '' }) => ({
      status: statusCode,
      id: (JSON.parse(body) as { id: string }).id,
    }));
  };

  const startWorker = () => {
    const functions = ['dog-walk', 'notify-walker'];
    const args = [warren, 'worker', ...functions, '--no-http', '--manifest', join(folder, 'warren.json')];
    const env = { ...process.env, ...system.env, LOG_LEVEL: 'warn' };
    children.push(spawn(process.execPath, args, { cwd: folder, env, stdio: 'ignore' }));
  };

  it.each([1, 2, 4])(
    'are booked once each by %i',
    async (workers) => {
      mails = 0;
      const takenAt = performance.now();
      const replies = await take();
      const takenIn = (performance.now() - takenAt) / 1000;
      expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([202]));
      expect(new Set(replies.map(({ id }) => id)).size).toBe(orders);

      const startedAt = performance.now();
      const since = () => (performance.now() - startedAt) / 1000;
      for (let n = 0; n < workers; n += 1) startWorker();
      let first = 0;
      const sent = async () => {
        const mails = db.selectFrom('mails').where('sent_at', 'is not', null);
        const { done } = await mails.select(db.fn.countAll<number>().as('done')).executeTakeFirstOrThrow();
        if (done > 0) first ||= since();
        return done;
      };
      await expect.poll(sent, { timeout: 240_000, interval: 50 }).toBe(orders);
      const drained = since();
      expect(mails).toBe(orders);

      const booked = await db
        .selectFrom('bookings')
        .select(['id', 'status', 'walker_id'])
        .where('status', '=', 'booked')
        .execute();
      expect(booked.map(({ id }) => id).sort()).toEqual(replies.map(({ id }) => id).sort());
      const loads = new Map<number | null, number>();
      for (const { walker_id } of booked) loads.set(walker_id, (loads.get(walker_id) ?? 0) + 1);
      // Everybody has as much to do as anybody else.
      expect([...loads.values()]).toEqual(Array.from({ length: walkers }, () => times));
      rows.push([
        String(workers),
        `${takenIn.toFixed(1)} s`,
        `${orders} x 202`,
        `${first.toFixed(1)} s`,
        `${drained.toFixed(1)} s`,
        String(Math.round(orders / (drained - first))),
      ]);
    },
    300_000,
  );
});
