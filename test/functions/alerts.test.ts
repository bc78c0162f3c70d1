import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHandler as createEmail } from '../../functions/alerts/email.ts';
import { createHandler as createLog } from '../../functions/alerts/log.ts';
import { createHandler as createRaise } from '../../functions/alerts/raise.ts';
import { openBroker, type TestBroker } from '../broker.ts';
import { bearer, openDeps } from '../deps.ts';
import { context, httpEvent, messageEvent } from '../events.ts';
import { mailsTo, sourceOf } from '../mailbox.ts';

const deps = openDeps();
afterAll(() => deps.close());

describe('POST /alerts', () => {
  const handler = createRaise(deps);
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await openBroker();
  });
  afterAll(() => broker.close());

  const raise = async (body: unknown, authorization?: string) => {
    const event = httpEvent({ body, authorization: authorization ?? (await bearer(1)) });
    const reply = await handler(event, context);
    return JSON.parse(reply.body ?? '') as Record<string, unknown>;
  };

  it('publishes the alert and answers with its message id', async () => {
    const queue = await broker.queue('alerts');
    const type = `t${randomUUID()}`;
    await broker.channel.bindQueue(queue, 'alerts', `*.${type}`);
    const reply = await raise({ routing_key: `critical.${type}`, message: { limit: 1000 } });
    const { content, properties, fields } = await broker.take(queue);
    expect(reply).toEqual({ message_id: properties.messageId });
    expect(JSON.parse(content.toString())).toEqual({ limit: 1000 });
    expect(fields.routingKey).toBe(`critical.${type}`);
    expect(properties).toMatchObject({ contentType: 'application/json', deliveryMode: 2 });
  });

  it.each(['critical', 'a.b.c', 'critical.*', '#', '', `a.${'b'.repeat(300)}`, 'critical.\r\nx', 7, null])(
    'refuses the routing key %j with 422',
    async (routing_key) => {
      const reply = await raise({ routing_key, message: 'x' });
      expect(reply).toMatchObject({ status: 422, detail: expect.stringContaining('routing_key: ') });
    },
  );

  it('refuses a request without a message, with broken JSON, without the scope', async () => {
    expect(await raise({ routing_key: 'a.b' })).toMatchObject({
      status: 422,
      detail: expect.stringMatching(/^message: /),
    });
    expect(await raise('{"routing_key":')).toMatchObject({ status: 400 });
    expect(await raise({}, await bearer(1, ['rpc:call']))).toMatchObject({ status: 403 });
  });
});

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

  it('mails text and HTML, and escapes what the alert says', async () => {
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

describe('log-alert', () => {
  it('keeps one row for a message id, and whatever JSON may hold', async () => {
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
