/** Passwords and keys of the sample's parts that change while a function is warm. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { expect, it, vi } from 'vitest';
import { openResources } from 'warren/functions';
import { authenticateCaller } from '../../shared/auth/caller-resource.ts';
import { mintToken } from '../../shared/auth/tokens.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import { database } from '../../shared/database/resource.ts';
import { mailer } from '../../shared/delivery/mail.ts';
import { storage } from '../../shared/storage/resource.ts';
import { smtp, withFaultyServer } from '../support/faults.ts';
import { secretFile } from '../support/rotation.ts';
import { stack } from '../support/stack.ts';

it('database: a role whose password is changed is used on with the password in its file', async () => {
  const role = `test_${randomUUID().replaceAll('-', '')}`;
  const admin = connectDatabase({ url: stack.DATABASE_URL, name: role, connections: 1 });
  const urlWith = (password: string) =>
    Object.assign(new URL(stack.DATABASE_URL), { username: role, password }).href;
  await sql`create role ${sql.id(role)} login password 'first'`.execute(admin);
  const file = await secretFile(urlWith('first'));
  const { db } = await openResources({ db: database }, { DATABASE_URL_FILE: file.path });
  const query = () => sql`select current_user as name`.execute(db);
  try {
    await query();
    await sql`alter role ${sql.id(role)} password 'second'`.execute(admin);
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${role}`.execute(admin);
    const refused = { code: 'ERR_UNAVAILABLE', cause: { code: '28P01' } };
    await vi.waitFor(() => expect(query()).rejects.toMatchObject(refused), { timeout: 10_000 });
    await file.write(urlWith('second'));
    const { rows } = await query();
    expect(rows).toEqual([{ name: role }]);
  } finally {
    await db.destroy();
    await sql`drop role ${sql.id(role)}`.execute(admin);
    await admin.destroy();
    await file.remove();
  }
});

it('mail: a login that the server refuses is read again, and the mail is sent once', async () => {
  const seen: string[] = [];
  const good = Buffer.from('\0user\0second').toString('base64');
  const server = smtp(
    {
      EHLO: '250-host\r\n250 AUTH PLAIN',
      AUTH: (line) => (line === `AUTH PLAIN ${good}` ? '235 welcome' : '535 not you'),
    },
    seen,
  );
  await withFaultyServer(server, async (port) => {
    const file = await secretFile(`smtp://user:first@127.0.0.1:${port}`);
    const { send } = (await openResources({ mailer }, { SMTP_URL_FILE: file.path })).mailer;
    const mail = { to: 'a@example.com', subject: 's', text: 't', html: 'h' };
    await expect(send(mail)).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', dependency: 'mail' });
    await file.write(`smtp://user:second@127.0.0.1:${port}`);
    await send(mail);
    expect(seen.filter((line) => line === 'DATA')).toHaveLength(1);
    await file.remove();
  });
});

it('storage: an access key that the storage refuses is read again, and links are signed with the new one', async () => {
  const [key, secret] = [await secretFile('revoked'), await secretFile('revoked')];
  const env = {
    S3_BUCKET: stack.S3_BUCKET,
    S3_ENDPOINT: stack.S3_ENDPOINT,
    AWS_ACCESS_KEY_ID_FILE: key.path,
    AWS_SECRET_ACCESS_KEY_FILE: secret.path,
  };
  const { bucket } = await openResources({ bucket: storage }, env);
  const object = `test/${randomUUID()}`;
  await expect(bucket.put(object, Buffer.from('x'), 'text/plain')).rejects.toMatchObject({
    code: 'ERR_UNAVAILABLE',
    dependency: 'storage',
  });
  await key.write(stack.AWS_ACCESS_KEY_ID);
  await secret.write(stack.AWS_SECRET_ACCESS_KEY);
  await bucket.put(object, Buffer.from('x'), 'text/plain');
  expect(await bucket.size(object)).toBe(1);
  expect((await fetch(await bucket.url(object))).status).toBe(200);
  await Promise.all([key.remove(), secret.remove()]);
});

it('tokens: one that is signed with a rotated secret is accepted, and the old ones are refused', async () => {
  const secrets = ['first', 'second'].map((name) => name.padEnd(32, '.'));
  const [first = '', second = ''] = secrets;
  const file = await secretFile(first);
  const { check } = await openResources({ check: authenticateCaller }, { AUTH_JWT_SECRET_FILE: file.path });
  const header = async (secret: string) =>
    `Bearer ${await mintToken({ secret, sub: '7', scopes: [], expiresInSeconds: 60 })}`;
  await expect(check(await header(second))).rejects.toMatchObject({ status: 401 });
  await file.write(second);
  expect((await check(await header(second))).key).toBe('7');
  await expect(check(await header(first))).rejects.toMatchObject({ status: 401 });
  await file.remove();
});
