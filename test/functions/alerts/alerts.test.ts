import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { recordingPublisher } from 'warren/testing';
import { createHandler as createEmail } from '../../../functions/alerts/email.ts';
import { createHandler as createLog } from '../../../functions/alerts/log.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { createMailer, mailSettings } from '../../../shared/delivery/mail.ts';
import { dropLetters, unique } from '../../support/broker.ts';
import { openDeps } from '../../support/deps.ts';
import { messageEvent } from '../../support/events.ts';
import { mailsTo, sourceOf } from '../../support/mailbox.ts';

const deps = openDeps();
afterAll(() => deps.close());

describe('email-alert', () => {
  const email = async (body: unknown, settings: Parameters<typeof messageEvent>[2] & { to: string }) => {
    const { to, ...properties } = settings;
    const routes = {
      critical: { subject: 'CRITICAL ALERT', to },
      rate_limit: { subject: 'RATE LIMIT ALERT!', to },
    };
    await createEmail({ ...deps, routes })(messageEvent('critical', body, properties));
    return {
      again: (queue: string) => createEmail({ ...deps, routes })(messageEvent(queue, body, properties)),
    };
  };
  const address = () => `audience-${randomUUID()}@example.com`;

  it('mails text and HTML, and escapes the content of the alert', async () => {
    const to = address();
    await email(
      { text: '<script>alert(1)</script>' },
      { to, routingKey: 'critical.<img>', messageId: randomUUID() },
    );
    const [mail] = await mailsTo(to);
    expect(mail).toMatchObject({ subject: 'CRITICAL ALERT' });
    expect(mail?.text).toContain('<script>alert(1)</script>');
    const source = await sourceOf(mail ?? (await Promise.reject(new Error('no mail'))));
    expect(source).toContain('&lt;script&gt;');
    expect(source).toContain('critical.&lt;img&gt;');
    expect(mail?.html).not.toContain('<script>alert');
  });

  it('lets neither routing key nor message write a header', async () => {
    const to = address();
    const evil = '\r\nBcc: everyone@example.com\r\nX-Evil: yes\r\n\r\n';
    await email(`${evil}body`, {
      to,
      routingKey: `critical.x${evil}`,
      messageId: `id${evil}${randomUUID()}`,
    });
    const [mail] = await mailsTo(to);
    const source = await sourceOf(mail ?? (await Promise.reject(new Error('no mail'))));
    const [headers = ''] = source.split(/\r?\n\r?\n/);
    expect(headers).toMatch(/^Subject: CRITICAL ALERT$/m);
    expect(headers).not.toMatch(/^(Bcc|X-Evil):/im);
  });

  it('mails once to an audience for a message id, and each time without one', async () => {
    const to = address();
    const first = await email('x', { to, messageId: randomUUID() });
    await first.again('critical');
    await first.again('rate_limit');
    expect((await mailsTo(to)).map(({ subject }) => subject).sort()).toEqual([
      'CRITICAL ALERT',
      'RATE LIMIT ALERT!',
    ]);
    const other = address();
    await (await email('x', { to: other })).again('critical');
    expect(await mailsTo(other)).toHaveLength(2);
  });

  it.each([null, 7, false, [1, { a: 2 }]])('mails the JSON value %j', async (value) => {
    const to = address();
    await email(value, { to, messageId: randomUUID() });
    expect((await mailsTo(to))[0]?.text).toContain(JSON.stringify(value, null, 2));
  });
});

describe('email-alert with failures', () => {
  const route = () => ({
    critical: { subject: 'CRITICAL ALERT', to: `audience-${randomUUID()}@example.com` },
  });

  it('retries for a while if the queue has no route', async () => {
    const publisher = recordingPublisher();
    const copies = publisher.published;
    const handler = createEmail({ ...deps, publisher, routes: route() });
    await handler(messageEvent('unknown', 'x', { messageId: randomUUID() }));
    expect(copies).toMatchObject([
      {
        exchange: 'warren.retry',
        routingKey: 'unknown.retry.1s',
        headers: { 'x-warren-error': expect.stringContaining('ALERT_ROUTES has no entry') },
      },
    ]);
  });

  it('mails an alert once after the mail server is available again', async () => {
    const routes = route();
    const { mail } = readSettings({ mail: mailSettings }, { SMTP_URL: 'smtp://127.0.0.1:9' });
    const publisher = recordingPublisher();
    const copies = publisher.published;
    const event = messageEvent('critical', 'x', { messageId: randomUUID() });
    await createEmail({ ...deps, publisher, routes, mailer: createMailer(mail) })(event);
    expect(copies).toMatchObject([
      {
        exchange: 'warren.retry',
        routingKey: expect.stringMatching(/\.retry\.1s$/),
        headers: { 'x-warren-faults': 0 },
      },
    ]);
    expect(await mailsTo(routes.critical.to)).toEqual([]);
    await createEmail({ ...deps, publisher, routes })(event);
    await createEmail({ ...deps, publisher, routes })(event);
    expect(await mailsTo(routes.critical.to)).toHaveLength(1);
    expect(copies).toHaveLength(1);
  });

  it('mails once for two concurrent deliveries', async () => {
    const routes = route();
    const publisher = recordingPublisher();
    const copies = publisher.published;
    const handler = createEmail({ ...deps, publisher, routes });
    const event = messageEvent('critical', 'x', { messageId: randomUUID() });
    await Promise.all([handler(event), handler(event), handler(event)]);
    for (const copy of copies) expect(copy.routingKey).toMatch(/\.retry\.1s$/);
    await handler(event);
    expect(await mailsTo(routes.critical.to)).toHaveLength(1);
  });

  it('dead-letters a message that is not JSON, and mails nothing', async () => {
    const routes = route();
    const id = unique('alert');
    const event = messageEvent('critical', Buffer.from('disk full'), { messageId: id });
    await createEmail({ ...deps, routes })(event);
    const [letter] = await dropLetters({ id }, 1);
    expect(letter).toMatchObject({ queue: 'critical', reason: 'rejected', body: 'disk full' });
    expect(letter?.error).toMatch(/expected JSON/);
    expect(await mailsTo(routes.critical.to)).toEqual([]);
  });

  it('mails when the alert was raised, if the producer set a timestamp', async () => {
    const routes = route();
    const timestamp = new Date('2026-01-02T03:04:05Z');
    const given = { messageId: randomUUID(), routingKey: 'critical.disk', timestamp };
    await createEmail({ ...deps, routes })(messageEvent('critical', 'disk full', given));
    const [mail] = await mailsTo(routes.critical.to);
    expect(mail?.text).toMatch(
      /^disk full\n\nRouting key: critical\.disk\nRaised: 2026-01-02T03:04:05\.000Z/,
    );
  });
});

describe('log-alert', () => {
  const rowsWith = (routing_key: string) =>
    deps.db.selectFrom('alert_log').selectAll().where('routing_key', '=', routing_key).execute();

  it('stores a row for each delivery of an alert without a message id', async () => {
    const routingKey = `info.${randomUUID()}`;
    const event = messageEvent('alert-log', { a: 1 }, { routingKey });
    await createLog(deps)(event);
    await createLog(deps)(event);
    expect(await rowsWith(routingKey)).toMatchObject(Array(2).fill({ message_id: null, content: { a: 1 } }));
  });

  it.each([
    ['null', null],
    ['false', false],
    ['0', 0],
    ['""', ''],
    ['[]', []],
    ['half a pair', '\ud83d'],
    ['U+0000', '\u0000'],
  ])('keeps %s as it came', async (_what, content) => {
    const routingKey = `info.${randomUUID()}`;
    const publisher = recordingPublisher();
    const copies = publisher.published;
    const event = messageEvent('alert-log', content, { routingKey, messageId: randomUUID() });
    await createLog({ ...deps, publisher })(event);
    expect(copies).toEqual([]);
    expect((await rowsWith(routingKey)).map((row) => row.content)).toEqual([content]);
  });

  it('stores one row per message id, with any JSON value', async () => {
    const messageId = randomUUID();
    const content = { text: 'nul \u0000, smile \u{1f600}', deep: [1, null] };
    const event = messageEvent('alert-log', content, { messageId, routingKey: 'info.deploy' });
    await Promise.all([createLog(deps)(event), createLog(deps)(event)]);
    const rows = await deps.db
      .selectFrom('alert_log')
      .selectAll()
      .where('message_id', '=', messageId)
      .execute();
    expect(rows).toMatchObject([{ routing_key: 'info.deploy', content }]);
  });
});
