/**
 * Publishes the messages of a plan in a process of its own, which the course kills. Arguments: the URL of the broker, the file with the
 * plan, the file for notes, the begin of the course, and `new-ids` to break a promise.
 */
import { randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { UnavailableError } from '../../runtime/base/errors.ts';
import { directQueue, exchange, type Note, type Planned } from './plan.ts';

const [url = '', planFile = '', noteFile = '', begun = '', broken] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, 'utf8')) as Planned[];
// A sender that was killed while it wrote leaves half a line, which the next one ends.
const noted = existsSync(noteFile) ? readFileSync(noteFile, 'utf8') : '';
if (noted !== '' && !noted.endsWith('\n')) appendFileSync(noteFile, '\n');
const before = new Map<string, number>();
const confirmed = new Set<string>();
for (const line of noted.split('\n')) {
  if (!line.endsWith('}')) continue;
  const note = JSON.parse(line) as Note;
  if ('due' in note) before.set(note.id, note.due);
  if ('confirmed' in note) confirmed.add(note.id);
}
const note = (each: Note) => appendFileSync(noteFile, `${JSON.stringify(each)}\n`);
const publisher = new Publisher({ url, name: 'delay course' });

await Promise.all(plan.filter(({ id }) => !confirmed.has(id)).map(send));
await publisher.close();

async function send({ id, at, delayMs, dueAt, toQueue }: Planned, n: number): Promise<void> {
  await pause(Math.max(0, Number(begun) + at - Date.now()));
  const from = Date.now();
  const known = before.get(id);
  const due = known ?? (dueAt === undefined ? from + delayMs : Number(begun) + dueAt);
  if (known === undefined) note({ id, due, from });
  const to = toQueue ? { exchange: '', routingKey: directQueue } : { exchange, routingKey: 'walk.soon' };
  for (let tries = 0; ; tries += 1) {
    note({ id, published: Date.now() });
    const isFirst = tries === 0 && known === undefined;
    const when = isFirst && n % 2 === 0 ? { delay: due - Date.now() } : { deliverAt: new Date(due) };
    try {
      const messageId = broken === 'new-ids' && n % 50 === 0 ? randomUUID() : id;
      await publisher.publish({ ...to, ...when, messageId, body: { id } });
      note({ id, confirmed: true });
      return;
    } catch (error) {
      // The broker was killed.
      if (!(error instanceof UnavailableError)) throw error;
      await pause(100);
    }
  }
}
