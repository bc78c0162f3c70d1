import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Database } from '../shared/database/schema.ts';
import { deadLetters } from '../shared/rabbitmq/names.ts';
import type { Count } from './compare.ts';
import type { Parts } from './parts.ts';

/** Messages that wait or are worked on, by queue; without the dead letters. */
export async function waiting({ broker }: Parts): Promise<Map<string, number>> {
  const output = await broker.control('list_queues', '--silent', 'name', 'messages');
  const queues = output
    .trim()
    .split('\n')
    .map((line) => line.split('\t') as [string, string]);
  return new Map(
    queues
      .filter(([name, messages]) => name !== deadLetters && messages !== '0')
      .map(([name, messages]) => [name, Number(messages)]),
  );
}

/** What waits in the database: pictures that nobody was told of yet, and alerts. */
export async function waitingRows(db: Kysely<Database>): Promise<Map<string, number>> {
  const pictures = await db
    .selectFrom('pictures')
    .select('id')
    .where('status', '=', 'uploaded')
    .where('announced_at', 'is', null)
    .execute();
  const alerts = await db.selectFrom('alert_backlog').select('id').execute();
  const counts: [string, number][] = [
    ['pictures to announce', pictures.length],
    ['alerts to tell', alerts.length],
  ];
  return new Map(counts.filter(([, count]) => count > 0));
}

/** After the workers have ended: nothing waits, no process of ours is left, and nobody holds a connection. */
export async function countLeftovers(
  parts: Parts,
  db: Kysely<Database>,
  endings: readonly string[],
): Promise<Count[]> {
  const left = [...(await waiting(parts)), ...(await waitingRows(db))];
  const queues = left.map(([name, messages]) => `${messages} in ${name}`);
  const connections = (await parts.broker.control('list_connections', '--silent', 'client_properties'))
    .trim()
    .split('\n')
    .filter((name) => name !== '')
    .map((name) => `to the broker: ${name}`);
  const { rows } = await sql<{ name: string }>`
    select application_name as name from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`.execute(db);
  const open = [...connections, ...rows.map(({ name }) => `to the database: ${name}`)];
  const badly = endings.filter((how) => how !== 'exit code 0');
  return [
    { what: 'messages left', expected: 0, got: queues.length, problems: queues },
    {
      what: 'workers ended in order',
      expected: endings.length,
      got: endings.length - badly.length,
      problems: badly,
    },
    { what: 'connections left', expected: 0, got: open.length, problems: open },
  ];
}
