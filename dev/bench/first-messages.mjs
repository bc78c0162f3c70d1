// The first message after a cold start: a fresh process imports the bundle of a function and calls it with an event as AWS's mapping
// sends it, on a broker, a database and a mailbox of this machine. Measured from the start of the process until the call has returned;
// each effect is checked.

import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import amqplib from 'amqplib';
import pg from 'pg';
import { awsEvent } from '../../test/support/aws-event.ts';
import { readService } from '../../test/support/deploy/serverless.ts';
import { startStack } from '../stack/stack.ts';
import { log } from './setup.mjs';

const rounds = 11;

// Both clocks count from the start of the process.
const caller =
  'const { handler } = await import(process.argv[1]); await handler(JSON.parse(process.argv[2]), ' +
  '{ getRemainingTimeInMillis: () => 15000 }); const { user, system } = process.cpuUsage(); ' +
  'console.log(JSON.stringify({ ms: performance.now(), cpu: (user + system) / 1000 })); process.exit()';

/** Measures those of these functions whose first message is measured. @returns milliseconds of each round, and those of processor time. */
export async function measureFirstMessages(bundles) {
  const chosen = bundles.filter(({ key }) => key in messages);
  if (chosen.length === 0) return [];
  const dataDir = await mkdtemp(join(tmpdir(), 'warren-cold-'));
  log('Starting broker, database, storage and mailbox for the first messages.');
  const quiet = { functions: undefined, given: {}, report: () => undefined };
  try {
    const { env, stop } = await startStack({ dataDir, ports: 'free', ...quiet });
    return await measureOn(env, chosen).finally(stop);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function measureOn(env, chosen) {
  const { custom } = await readService();
  const alerts = {
    ALERT_ROUTES: custom.alertRoutes,
    ALERTS_OPS_TO: 'ops@example.com',
    ALERTS_API_TO: 'api@example.com',
  };
  const settings = { ...process.env, ...env, ...alerts };
  const pool = new pg.Pool({ connectionString: env.DATABASE_URL });
  const connection = await amqplib.connect(env.AMQP_URL, { noDelay: true });
  const channel = await connection.createChannel();
  const results = [];
  try {
    for (const { key, own } of chosen) {
      const times = [];
      for (let round = 0; round < rounds; round++) {
        times.push(await messages[key]({ pool, channel, own, settings }));
      }
      results.push({ function: key, times });
      log(`${key}: first messages after ${times.map(({ ms }) => Math.round(ms)).join(', ')} ms`);
    }
  } finally {
    await connection.close();
    await pool.end();
  }
  return results;
}

async function call({ own, settings }, event) {
  const args = ['--input-type=module', '-e', caller, own, JSON.stringify(event)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: settings });
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

async function expectRow(pool, text, id) {
  const { rowCount } = await pool.query(text, [id]);
  if (rowCount !== 1) throw new Error(`expected one row for message ${id}, got ${rowCount}`);
}

/** The measured functions: each sends one message, and checks what it has done. */
const messages = {
  async ping(run) {
    const { queue } = await run.channel.assertQueue('', { exclusive: true });
    const body = { client_name: 'RPC Client 1.0', time: 1288111236.43 };
    const event = awsEvent([{ queue: 'ping', messageId: randomUUID(), body }]);
    for (const message of event.rmqMessagesByQueue['ping::/']) message.basicProperties.replyTo = queue;
    const time = await call(run, event);
    const reply = await run.channel.get(queue, { noAck: true });
    if (reply?.content?.toString() !== 'Pong!1288111236.43') throw new Error('expected a reply, got none');
    return time;
  },
  async 'log-alert'(run) {
    const messageId = randomUUID();
    const time = await call(run, awsEvent([{ queue: 'alert-log', messageId, body: 'disk is full' }]));
    await expectRow(run.pool, 'select 1 from alert_log where message_id = $1', messageId);
    return time;
  },
  async 'email-alert'(run) {
    const messageId = randomUUID();
    const time = await call(run, awsEvent([{ queue: 'critical', messageId, body: 'disk is full' }]));
    await expectRow(
      run.pool,
      "select 1 from mails where key like '%' || $1 || '%' and sent_at is not null",
      messageId,
    );
    return time;
  },
};
