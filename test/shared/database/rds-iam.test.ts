import { randomUUID } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectDatabase } from '../../../shared/database/database.ts';
import { rdsToken } from '../../../shared/database/rds-token.ts';
import { stack } from '../../support/stack.ts';
import { credentials, region, Sha256 } from '../../support/sts.ts';

const env = {
  AWS_REGION: region,
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  AWS_SESSION_TOKEN: credentials.sessionToken,
};

/** The token of AWS's own signer at the present time of the clock. */
async function awsToken(host: string, port: number, user: string): Promise<URL> {
  const signer = new SignatureV4({ service: 'rds-db', region: env.AWS_REGION, credentials, sha256: Sha256 });
  const { query = {} } = await signer.presign(
    {
      method: 'GET',
      protocol: 'https:',
      hostname: host,
      port,
      path: '/',
      query: { Action: 'connect', DBUser: user },
      headers: { host: `${host}:${port}` },
    },
    { expiresIn: 900, signingDate: new Date() },
  );
  const url = new URL(`https://${host}:${port}/`);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
  return url;
}

beforeEach(() => {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

describe('a token for RDS', () => {
  it('rds: it is the one that AWS signs: action, user, 15 minutes, signature', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00Z') });
    const host = 'warren.abc.eu-west-1.rds.amazonaws.com';
    const token = await rdsToken({ host, port: 5432, user: 'functions' });
    expect(token).toMatch(
      /^warren\.abc\.eu-west-1\.rds\.amazonaws\.com:5432\/\?Action=connect&DBUser=functions&/,
    );
    const { searchParams } = new URL(`https://${token}`);
    expect(searchParams.get('X-Amz-Expires')).toBe('900');
    expect(searchParams.get('X-Amz-Credential')).toBe('AKIDEXAMPLE/20261129/eu-west-1/rds-db/aws4_request');
    const expected = await awsToken(host, 5432, 'functions');
    expect(Object.fromEntries(searchParams)).toEqual(Object.fromEntries(expected.searchParams));
  });

  it('rds: without credentials in the environment it names what is missing', async () => {
    await expect(rdsToken({ host: 'host', port: 5432, user: 'functions' }, {})).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('auth=rds-iam: expected AWS_REGION'),
    });
  });
});

describe('a database with tokens of RDS', () => {
  const user = `iam_${randomUUID().replaceAll('-', '')}`;
  const url = new URL(stack.DATABASE_URL);
  Object.assign(url, { username: user, password: '', search: '?auth=rds-iam' });
  const admin = connectDatabase({ url: stack.DATABASE_URL, name: 'rds test', connections: 1 });
  beforeAll(async () => {
    await sql`create role ${sql.id(user)} login`.execute(admin);
  });
  afterAll(async () => {
    await sql`drop role ${sql.id(user)}`.execute(admin);
    await admin.destroy();
  });

  /** RDS checks the signature; here the password of the user is the token that AWS's signer makes at this time. */
  const expectTokenOf = async (time: string) => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date(time) });
    const port = Number(url.port);
    const token = await rdsToken({ host: url.hostname, port, user });
    const signature = new URL(`https://${token}`).searchParams.get('X-Amz-Signature');
    expect(signature).toBe((await awsToken(url.hostname, port, user)).searchParams.get('X-Amz-Signature'));
    await sql`alter role ${sql.id(user)} password ${sql.lit(token)}`.execute(admin);
  };

  it('rds: each new connection logs in with a token of its own time', async () => {
    const db = connectDatabase({ url: url.href, name: 'rds test', connections: 2 });
    const pids = () =>
      db.transaction().execute(async (one) => {
        const {
          rows: [first],
        } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(one);
        return first?.pid;
      });
    await expectTokenOf('2026-11-29T12:00:00Z');
    const first = await pids();
    // The first connection stays with its login, although its token has expired and is no longer the password.
    await expectTokenOf('2026-11-29T12:20:00Z');
    expect(await pids()).toBe(first);
    const [one, other] = await Promise.all([sql`select pg_sleep(0.5), 1`.execute(db), pids()]);
    expect(one.rows).toHaveLength(1);
    expect(other).not.toBe(first);
    await db.destroy();
  });

  it('rds: a token that the server does not take is an unavailable database', async () => {
    await expectTokenOf('2026-11-29T12:00:00Z');
    vi.setSystemTime(new Date('2026-11-29T12:40:00Z'));
    const db = connectDatabase({ url: url.href, name: 'rds test', connections: 1 });
    await expect(sql`select 1`.execute(db)).rejects.toMatchObject({
      code: 'ERR_UNAVAILABLE',
      message: 'the database refuses the login of DATABASE_URL',
    });
    await db.destroy();
  });

  it('rds: missing credentials are named', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', '');
    const db = connectDatabase({ url: url.href, name: 'rds test', connections: 1 });
    await expect(sql`select 1`.execute(db)).rejects.toMatchObject({ code: 'ERR_CONFIG' });
    await db.destroy();
  });

  it('rds: a renewed URL may change from a password to tokens', async () => {
    await expectTokenOf('2026-11-29T13:00:00Z');
    const wrong = Object.assign(new URL(url), { password: 'wrong', search: '' }).href;
    const db = connectDatabase({ url: wrong, renewUrl: async () => url.href, name: 'rds test' });
    expect((await sql`select 1`.execute(db)).rows).toHaveLength(1);
    await db.destroy();
  });
});
