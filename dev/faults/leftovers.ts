import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import { deadLetterLog, deadLetterMarks, deadLetterNews, deadLetters } from '../../runtime/topology/names.ts';
import type { Database } from '../../shared/database/schema.ts';
import type { Count } from './compare.ts';
import { stage } from './lambda-service.ts';
import type { Parts } from './parts.ts';
import { programsWith } from './programs.ts';
import { repliesQueue } from './replies.ts';

/** Queues that keep their messages. */
const kept = [deadLetters, deadLetterNews, deadLetterLog, deadLetterMarks, repliesQueue];

/** Whether a queue has messages that are due in weeks or later: only reminders of walks, which are years ahead. */
const isReminders = (name: string) => Number(/^warren\.delay\.(\d\d)$/.exec(name)?.[1] ?? 0) >= 20;

async function messagesByQueue({ broker }: Parts): Promise<[string, number][]> {
  const output = await broker.control('list_queues', '--silent', 'name', 'messages');
  return lines(output).map((line) => {
    const [name = '', messages] = line.split('\t');
    return [name, Number(messages)];
  });
}

/** Messages that wait or are worked on, by queue; without dead letters, kept replies and reminders. */
export async function waiting(parts: Parts): Promise<Map<string, number>> {
  const queues = await messagesByQueue(parts);
  return new Map(
    queues.filter(([name, messages]) => !kept.includes(name) && !isReminders(name) && messages !== 0),
  );
}

/** The reminder of each walk waits for its hour. It is not counted how often: one that comes again sends no second mail. */
export async function countReminders(parts: Parts, walks: number): Promise<Count> {
  const queues = await messagesByQueue(parts);
  const got = queues.reduce((sum, [name, messages]) => sum + (isReminders(name) ? messages : 0), 0);
  const problems = got < walks ? [`missing: ${walks - got} reminders`] : [];
  return { what: 'reminders waiting', expected: walks, got, problems };
}

/** The name of a backlog: alerts with a key that the next summary reports. */
export const summaries = 'summaries to mail';

/** Backlogs in the database: messages in the outbox, alerts, and summaries of alerts. */
export async function waitingRows(db: Kysely<Database>): Promise<Map<string, number>> {
  const outbox = await db.selectFrom('warren_outbox').select('id').execute();
  const alerts = await db.selectFrom('alert_backlog').select('id').execute();
  const digests = await db.selectFrom('alert_digests').select('queue').where('more', '>', 0).execute();
  const counts: [string, number][] = [
    ['messages in the outbox', outbox.length],
    ['alerts to mail', alerts.length],
    [summaries, digests.length],
  ];
  return new Map(counts.filter(([, count]) => count > 0));
}

/** No backlog is left, and each stopped process has finished its work in flight. */
export async function countLeftovers(
  parts: Parts,
  db: Kysely<Database>,
  endings: readonly string[],
): Promise<Count[]> {
  const left = [...(await waiting(parts)), ...(await waitingRows(db))];
  const queues = left.map(([name, messages]) => `${messages} in ${name}`);
  const badly = endings.filter((how) => how !== 'exit code 0');
  return [
    { what: 'messages left', expected: 0, got: queues.length, problems: queues },
    {
      what: 'processes ended in order',
      expected: endings.length,
      got: endings.length - badly.length,
      problems: badly,
    },
  ];
}

/** The names of all connections, except those of the count itself. */
export interface Connections {
  broker: string[];
  database: string[];
}

export async function connections({ broker }: Parts, db: Kysely<Database>): Promise<Connections> {
  const { rows } = await sql<{ name: string }>`
    select application_name as name from pg_stat_activity where datname = current_database()
      and application_name <> (select application_name from pg_stat_activity where pid = pg_backend_pid())`.execute(
    db,
  );
  const properties = lines(await broker.control('list_connections', '--silent', 'client_properties'));
  return {
    broker: properties.map((text) => /"connection_name","([^"]*)"/.exec(text)?.[1] ?? text),
    database: rows.map(({ name }) => name),
  };
}

/** Connections to the database that a function of a process may have. */
const poolSize = 5;
/** Calls of one function that a Lambda API may have in flight. */
const maxThreads = 8;

/**
 * While the processes still run, after all those faults, none has kept a connection beside those it uses; and when they have
 * ended, there is none.
 *
 * @param hosts number of workers, and of queues that feed each function.
 */
export function countConnections(
  { workers, queues }: { workers: number; queues: Parts['queues'] },
  running: Connections,
  ended: Connections,
): Count[] {
  // A connection is named by the function that it serves.
  const most = (name: string) => {
    const functionName = /([^ ]+)( \(.*\))?$/.exec(name)?.[1] ?? '';
    const fed = queues.get(functionName);
    // `serverless offline` runs each call in flight in a thread of its own.
    if (functionName.startsWith(`warren-${stage}-`))
      return { broker: maxThreads, database: maxThreads * poolSize };
    // A schedule or a request calls the others, which publish, and may wait for replies, in one process.
    if (fed === undefined) return { broker: 2, database: poolSize };
    const [consumers, runners] = programsWith(functionName, workers);
    const isConsumer = name.includes(' event source: ');
    return { broker: isConsumer ? consumers * fed : runners, database: runners * poolSize };
  };
  const kept = [
    ...tooMany(running.broker, (name) => most(name).broker).map((each) => `${each} at the broker`),
    ...tooMany(running.database, (name) => most(name).database).map((each) => `${each} at the database`),
  ];
  const left = [
    ...ended.broker.map((name) => `"${name}" at the broker`),
    ...ended.database.map((name) => `"${name}" at the database`),
  ];
  const all = running.broker.length + running.database.length;
  return [
    { what: 'connections kept', expected: `0 of ${all}`, got: kept.length, problems: kept },
    { what: 'connections left', expected: 0, got: left.length, problems: left },
  ];
}

function tooMany(names: readonly string[], most: (name: string) => number): string[] {
  const numbers = new Map<string, number>();
  for (const name of names) numbers.set(name, (numbers.get(name) ?? 0) + 1);
  return [...numbers]
    .filter(([name, number]) => number > most(name))
    .map(([name, number]) => `${number} of "${name}"`);
}

const lines = (output: string) =>
  output
    .trim()
    .split('\n')
    .filter((line) => line !== '');
