import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetWebIdentityTokenCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { stsToken } from '../../../runtime/amqp/sts-token.ts';
import { credentials, region, type Sts, startSts } from '../../support/sts.ts';
import { startTokenIssuer, type TokenIssuer } from '../../support/token-issuer.ts';

const role = 'arn:aws:iam::123456789012:role/warren-functions';
let folder: string;
let issuer: TokenIssuer;
let sts: Sts;
let broker: PrivateBroker;
let env: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-iam-'));
  issuer = await startTokenIssuer(folder);
  sts = await startSts(issuer, role);
  env = {
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: credentials.sessionToken,
    AWS_ENDPOINT_URL_STS: sts.endpoint,
  };
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  // As Amazon MQ is set up for IAM: the subject of a token is its scope, and an alias gives a role its rights.
  const config = () => [...issuer.config, 'auth_oauth2.additional_scopes_key = sub'];
  broker = await privateBroker(config, '', undefined, ['rabbitmq_auth_backend_oauth2']);
  const scopes = ['configure', 'read', 'write'].map((right) => `<<"rabbitmq.${right}:*/*">>`).join(',');
  const aliases = `#{<<"${role}">> => [${scopes}]}`;
  await broker.control(
    'eval',
    `application:set_env(rabbitmq_auth_backend_oauth2, scope_aliases, ${aliases}).`,
  );
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await broker?.close();
  await sts?.close();
  await issuer?.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  sts.calls.length = 0;
  sts.error = undefined;
  issuer.lifetime = 900;
});

const url = (audience = 'rabbitmq') =>
  `amqp://127.0.0.1:${broker.port}?auth_mechanism=aws-iam&audience=${audience}`;
const opened = async (target: string, ms = 0) => {
  const connection = new BrokerConnection({ url: target, name: 'iam test' });
  try {
    const channel = await connection.channel();
    await new Promise((resolve) => setTimeout(resolve, ms));
    await channel.assertQueue('', { exclusive: true });
    return 'open';
  } finally {
    await connection.close();
  }
};

describe('broker with the IAM role of a function', () => {
  it('aws-iam: the role gets a token from STS, which the broker takes, with the rights of its alias', async () => {
    expect(await opened(url())).toBe('open');
    expect(sts.calls).toHaveLength(1);
  });

  it('aws-iam: the call to STS is that of the SDK of AWS', async () => {
    const client = new STSClient({ region, credentials, endpoint: sts.endpoint });
    const { WebIdentityToken, Expiration } = await client.send(
      new GetWebIdentityTokenCommand({
        Audience: ['rabbitmq'],
        DurationSeconds: 900,
        SigningAlgorithm: 'RS256',
      }),
    );
    const { text, validMs } = await stsToken('rabbitmq', 4000, env);
    const [ofSdk, own] = sts.calls;
    expect(own).toEqual(ofSdk);
    expect(text.split('.').slice(0, 1)).toEqual(WebIdentityToken?.split('.').slice(0, 1));
    expect(Math.abs(validMs - (Number(Expiration) - Date.now()))).toBeLessThan(5000);
    client.destroy();
  });

  it('aws-iam: the token is renewed on the same connection before it expires', async () => {
    issuer.lifetime = 6;
    expect(await opened(url(), 10_000)).toBe('open');
    expect(sts.calls.length).toBeGreaterThanOrEqual(3);
  }, 60_000);

  it('aws-iam: a token for another broker is refused by the broker', async () => {
    await expect(opened(url('another'))).rejects.toMatchObject({ code: 'ERR_BROKER_REFUSED' });
  });

  it.each([
    [{ code: 'AccessDenied', status: 403 }, 'ERR_BROKER_REFUSED', 'STS refused a token (403 AccessDenied)'],
    [{ code: 'Throttling', status: 400 }, 'ERR_UNAVAILABLE', 'got 400 with another content'],
    [{ code: 'InternalFailure', status: 500 }, 'ERR_UNAVAILABLE', 'got 500 with another content'],
  ])('aws-iam: %o of STS is %s', async (error, code, message) => {
    sts.error = error;
    await expect(opened(url())).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it('aws-iam: a wrong secret is a refused login, and an environment without one a wrong setting', async () => {
    const wrong = stsToken('rabbitmq', 4000, { ...env, AWS_SECRET_ACCESS_KEY: 'wrong' });
    await expect(wrong).rejects.toMatchObject({
      code: 'ERR_BROKER_REFUSED',
      message: 'STS refused a token (403 SignatureDoesNotMatch)',
    });
    await expect(stsToken('rabbitmq', 4000, {})).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  });
});
