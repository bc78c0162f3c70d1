import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { startTokenIssuer, type TokenIssuer } from '../../support/token-issuer.ts';

let folder: string;
let issuer: TokenIssuer;
let broker: PrivateBroker;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-oauth-'));
  issuer = await startTokenIssuer(folder);
  broker = await privateBroker(() => issuer.config, '', undefined, ['rabbitmq_auth_backend_oauth2']);
});
afterAll(async () => {
  await broker?.close();
  await issuer?.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  issuer.requests.length = 0;
  Object.assign(issuer, { status: 200, lifetime: 600, failures: 0 });
});

const all = 'rabbitmq.configure:*/* rabbitmq.read:*/* rabbitmq.write:*/*';
const url = (more: Record<string, string> = {}) => {
  const query = new URLSearchParams({
    auth_mechanism: 'oauth2',
    token_endpoint: issuer.tokenEndpoint,
    scope: all,
    ...more,
  });
  // URLSearchParams writes a space as +, which an AMQP URI takes for a plus.
  return `amqp://worker:s%2Becr%3At@127.0.0.1:${broker.port}?${String(query).replaceAll('+', '%20')}`;
};
const opened = async (target: string) => {
  const connection = new BrokerConnection({ url: target, name: 'oauth test' });
  try {
    return await connection.channel().then(() => 'open');
  } finally {
    await connection.close();
  }
};
const connections = async (name: string) => {
  const text = await broker.control('list_connections', '--quiet', 'pid', 'client_properties');
  return text.split('\n').flatMap((line) => (line.includes(`"${name}"`) ? [line.split('\t')[0]] : []));
};

/** Publishes and consumes one message after the other until it is stopped. */
async function load(name: string) {
  const connection = new BrokerConnection({ url: url(), name });
  const channel = await connection.channel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  const seen: unknown[] = [];
  await channel.consume(queue, (message) => {
    if (!message) return;
    seen.push(JSON.parse(message.content.toString()));
    channel.ack(message);
  });
  const publisher = new Publisher({ url: url(), name });
  let running = true;
  let sent = 0;
  const sending = (async () => {
    while (running) {
      await publisher.publish({ exchange: '', routingKey: queue, body: sent });
      sent += 1;
      await sleep(5);
    }
  })();
  return {
    seen,
    async stop() {
      running = false;
      await sending;
      await vi.waitFor(() => expect(seen.length).toBe(sent), { timeout: 10_000 });
      await publisher.close();
      await connection.close();
      return sent;
    },
  };
}

describe('broker with OAuth 2', () => {
  it('oauth: the client of the URL gets a token, with which it logs in', async () => {
    expect(await opened(url({ audience: 'rabbitmq' }))).toBe('open');
    const [{ authorization, form } = { authorization: '', form: new URLSearchParams() }] = issuer.requests;
    // Each part is encoded as in a form before both become one text (RFC 6749, 2.3.1).
    expect(Buffer.from(authorization.replace('Basic ', ''), 'base64').toString()).toBe('worker:s%2Becr%3At');
    expect(Object.fromEntries(form)).toEqual({
      grant_type: 'client_credentials',
      scope: all,
      audience: 'rabbitmq',
    });
  });

  it('oauth: the token is renewed three times under load, on the same connections, and nothing is lost', async () => {
    issuer.lifetime = 8;
    const running = await load('renewed');
    const before = await connections('renewed');
    expect(before).toHaveLength(2);
    const begun = Date.now();
    // A token at the start and three more, for each of the two connections.
    await vi.waitFor(() => expect(issuer.requests.length).toBeGreaterThanOrEqual(8), { timeout: 60_000 });
    const count = running.seen.length;
    // The third token would have expired, too.
    await sleep(Math.max(0, begun + 25_000 - Date.now()));
    expect(running.seen.length).toBeGreaterThan(count);
    expect((await connections('renewed')).sort()).toEqual(before.sort());
    const sent = await running.stop();
    expect(running.seen).toEqual(Array.from({ length: sent }, (_, n) => n));
  }, 120_000);

  it('oauth: a renewal that fails is tried again while the token is valid', async () => {
    issuer.lifetime = 16;
    const begun = Date.now();
    const running = await load('retried');
    const before = await connections('retried');
    // The first renewal of each connection.
    issuer.failures = 2;
    await vi.waitFor(() => expect(issuer.requests.length).toBeGreaterThanOrEqual(6), { timeout: 30_000 });
    await sleep(Math.max(0, begun + 20_000 - Date.now()));
    expect((await connections('retried')).sort()).toEqual(before.sort());
    await running.stop();
  }, 120_000);

  it('oauth: a connection whose token has expired is replaced by one with a new token', async () => {
    issuer.lifetime = 6;
    const publisher = new Publisher({ url: url(), name: 'expired' });
    const message = { exchange: 'amq.fanout', routingKey: '', body: 1, mandatory: false };
    await publisher.publish(message);
    issuer.status = 503;
    await sleep(9000);
    const refused = await publisher.publish(message).catch((error: Error) => error);
    expect(refused).toMatchObject({ code: 'ERR_UNAVAILABLE' });
    issuer.status = 200;
    await vi.waitFor(() => publisher.publish(message), { timeout: 10_000, interval: 200 });
    await publisher.close();
  }, 60_000);

  it('oauth: a client that the issuer refuses is a refused login, without its secret', async () => {
    issuer.status = 401;
    const error = await opened(url()).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({
      code: 'ERR_BROKER_REFUSED',
      message: `the token endpoint at ${new URL(issuer.tokenEndpoint).host} refused the client (401)`,
    });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('ecr');
  });

  it('oauth: an issuer that is down is an unavailable broker', async () => {
    issuer.status = 500;
    await expect(opened(url())).rejects.toMatchObject({
      code: 'ERR_UNAVAILABLE',
      message: expect.stringContaining('expected 200 with access_token and expires_in, got 500'),
    });
    const nothing = url({ token_endpoint: 'http://127.0.0.1:1/token' });
    await expect(opened(nothing)).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE' });
  });

  it('oauth: a token for another broker is refused by the broker', async () => {
    await expect(opened(url({ audience: 'another' }))).rejects.toMatchObject({ code: 'ERR_BROKER_REFUSED' });
  });

  it.each([
    ['auth_mechanism=oauth2', 'parameter token_endpoint: expected an https URL with auth_mechanism=oauth2'],
    ['token_endpoint=https://issuer/token', 'expected auth_mechanism=oauth2 beside them, got none'],
    ['auth_mechanism=oauth2&token_endpoint=http://issuer/token', 'token_endpoint: expected an https URL'],
    [
      'auth_mechanism=oauth2&token_endpoint=https://u:s3cr3t@issuer/token',
      'token_endpoint: expected an https',
    ],
  ])('oauth: a URL whose parameters do not fit is refused: %s', async (query, problem) => {
    const error = await opened(`amqp://worker:secret@host?${query}`).catch((thrown: Error) => thrown.message);
    expect(error).toContain(problem);
    expect(error).not.toContain('s3cr3t');
  });
});
