import { setTimeout as pause } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { readSettings } from '../../runtime/settings/read.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import { databaseSettings } from '../../shared/database/resource.ts';
import type { Database } from '../../shared/database/schema.ts';
import { type Call, type DemoStep, type Env, patienceMs, stopwatch } from './client.ts';

interface Alert {
  routing_key: string;
  message: unknown;
  /** The queues whose audiences must get a mail. */
  audiences: readonly string[];
}

const limitReached: Alert = {
  routing_key: 'critical.rate_limit',
  message: { client: 'demo', requests: 1001, limit: 1000 },
  audiences: ['critical', 'rate_limit'],
};
const deployed: Alert = { routing_key: 'info.deploy', message: 'the demo was deployed', audiences: [] };

/** Raises two alerts and waits until they are mailed and logged. */
export async function alertSteps(call: Call, env: Env, report: (text: string) => void): Promise<DemoStep[]> {
  report(`Raising ${limitReached.routing_key} and ${deployed.routing_key}.`);
  const { DATABASE_URL: url } = readSettings({ database: databaseSettings }, env).database;
  const db = connectDatabase({ url, name: 'warren demo', connections: 2 });
  try {
    return await Promise.all([limitReached, deployed].map((alert) => alertStep(call, db, alert)));
  } finally {
    await db.destroy();
  }
}

async function alertStep(call: Call, db: Kysely<Database>, alert: Alert): Promise<DemoStep> {
  const { routing_key, message, audiences } = alert;
  const since = stopwatch();
  const { message_id } = (await call('POST', '/alerts', { routing_key, message })) as { message_id: string };
  const isComplete = ({ recipients, logged }: Trace) => logged && recipients.length === audiences.length;
  let seen = await readTrace(db, message_id, audiences);
  while (!isComplete(seen) && since() < patienceMs) {
    await pause(50);
    seen = await readTrace(db, message_id, audiences);
  }
  const mailed =
    seen.recipients.length > 0 ? `mailed to ${seen.recipients.sort().join(' and ')}` : 'not mailed';
  const result = `${mailed}, ${seen.logged ? 'logged' : 'not logged'}`;
  return { step: `alert ${routing_key}`, result, ok: isComplete(seen), ms: since() };
}

interface Trace {
  recipients: string[];
  logged: boolean;
}

async function readTrace(db: Kysely<Database>, id: string, audiences: readonly string[]): Promise<Trace> {
  const keys = audiences.map((audience) => `alert:${audience}:${id}`);
  const [mails, row] = await Promise.all([
    db
      .selectFrom('mails')
      .select('recipient')
      .where('key', 'in', ['', ...keys])
      .where('sent_at', 'is not', null)
      .execute(),
    db.selectFrom('alert_log').select('id').where('message_id', '=', id).executeTakeFirst(),
  ]);
  return { recipients: mails.map(({ recipient }) => recipient), logged: row !== undefined };
}
