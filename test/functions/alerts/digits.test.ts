/** The numbers of alerts, which keep their digits wherever an alert is stored or shown. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { expect, it } from 'vitest';
import { recordingPublisher } from 'warren/testing';
import { createHandler as createEmail } from '../../../functions/alerts/email.ts';
import { createHandler as createFlush } from '../../../functions/alerts/flush.ts';
import { createHandler as createLog } from '../../../functions/alerts/log.ts';
import { alertSystem, feed, mailerOf, same } from '../../support/alerts.ts';
import { messageEvent } from '../../support/events.ts';

const alerts = alertSystem();
const numbers = '-0,1.10,1E3,1e400,0.30000000000000000004,12345678901234567890';
const body = Buffer.from(`{"values":[${numbers}],"deep":{"price":19.90}}`);
/** As `stringifyJson` indents it. */
const shown = expect.stringContaining(`    ${numbers.replaceAll(',', ',\n    ')}\n`);

it('digits: the mail of an alert from a queue shows the numbers that were sent', async () => {
  const queue = await alerts.broker().queue('digits');
  const parts = alerts.partsOf({ routes: { [queue]: alerts.routeTo() } });
  const source = await feed(queue, 1, createEmail(parts));
  await alerts.broker().send(queue, body, { contentType: 'text/json', messageId: randomUUID() });
  await expect.poll(async () => (await alerts.mails()).length, { timeout: 10_000 }).toBe(1);
  await source.stop();
  expect((await alerts.mails())[0]).toMatchObject({ text: shown });
});

it('digits: the log stores the text of an alert without a change', async () => {
  const routingKey = `info.${randomUUID()}`;
  const log = createLog({ db: alerts.db(), publisher: recordingPublisher() });
  await log(messageEvent('alert-log', body, { messageId: randomUUID(), routingKey }));
  const content = sql<string>`content::text`.as('content');
  const rows = alerts.db().selectFrom('alert_log').select(content).where('routing_key', '=', routingKey);
  expect(await rows.execute()).toEqual([{ content: body.toString() }]);
});

it('digits: an alert that was in the backlog, and a summary, show the numbers that were sent', async () => {
  const away = alerts.open({ mailer: mailerOf() });
  await away.deliver([{ messageId: randomUUID(), body, headers: { 'x-warren-attempts': 2 } }]);
  expect(await alerts.waiting('critical')).toBe(1);
  const there = alerts.open();
  await alerts.untilMails(there.flush, 1);
  const key = randomUUID();
  await there.deliver([same(key), same(key, { body })]);
  const mails = await alerts.untilMails(createFlush(alerts.partsOf()), 3);
  const texts = mails.map(({ text }) => text).filter((text) => text.includes('19.90'));
  expect(texts).toEqual([shown, shown]);
});
