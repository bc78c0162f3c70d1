/** The parts that `warren dev` starts beside the broker. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { loadPackage } from '../../../../runtime/local/parts/part.ts';
import { DevProject } from '../../../support/dev-command.ts';
import { readMails } from '../../../support/mailbox.ts';
import { stack } from '../../../support/stack.ts';

const service = (parts: string) => `
service: dev-parts
provider:
  name: aws
  environment:
    DATABASE_URL: \${env:DATABASE_URL, ''}
    S3_ENDPOINT: \${env:S3_ENDPOINT, ''}
    S3_BUCKET: \${env:S3_BUCKET, ''}
    SMTP_URL: \${env:SMTP_URL, ''}
custom:
  warren:
    dev: { parts: ${parts} }
functions:
  work: { handler: work.handler, events: [{ httpApi: POST / }] }
`;

/** Stores a count in the database and in the bucket, and mails it. */
const work = `
import { S3 } from '@aws-sdk/client-s3';
import { createTransport } from 'nodemailer';
import pg from 'pg';
export async function handler() {
  const client = new pg.Client(process.env.DATABASE_URL);
  await client.connect();
  await client.query('create table if not exists calls (id serial)');
  await client.query('insert into calls default values');
  const { rows } = await client.query('select count(*)::int as count from calls');
  await client.end();
  const { count } = rows[0];
  const s3 = new S3({ endpoint: process.env.S3_ENDPOINT, forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED' });
  const place = { Bucket: process.env.S3_BUCKET, Key: 'count' };
  await s3.putObject({ ...place, Body: String(count) });
  const stored = await (await s3.getObject(place)).Body.transformToString();
  await createTransport(process.env.SMTP_URL).sendMail({ from: 'a@example.com', to: 'b@example.com', subject: stored, text: '-' });
  return { statusCode: 200, body: stored };
}`;

const variableIn = (name: string, text: string) => new RegExp(`${name}=(\\S+)`).exec(text)?.[1] ?? '';

describe('the parts of warren dev', () => {
  let project: DevProject;

  afterEach(() => project?.remove());

  it('PostgreSQL, storage and mailbox of custom.warren.dev serve functions, and keep their data until the next start', async () => {
    project = await DevProject.make({
      'serverless.yml': service('[postgres, storage, mailbox]'),
      'work.ts': work,
    });
    for (const count of ['1', '2']) {
      // Settings of other parts must not get through.
      const own = {
        DATABASE_URL: '',
        S3_ENDPOINT: '',
        S3_BUCKET: '',
        SMTP_URL: '',
        WARREN_STORAGE: 's3rver',
      };
      const run = project.start({ ...own, AMQP_URL: stack.AMQP_URL });
      await run.printed(/up after/);
      const [url = ''] = /http:\/\/127\.0\.0\.1:\d+\//.exec(run.text()) ?? [];
      const response = await fetch(url, { method: 'POST' });
      expect([response.status, await response.text()]).toEqual([200, count]);
      const mails = await readMails(variableIn('MAILBOX_URL', run.text()));
      expect(mails.map(({ subject }) => subject)).toContain(count);
      const database = variableIn('DATABASE_URL', run.text());
      run.child.kill('SIGINT');
      expect(await run.ended).toBe(0);
      expect(existsSync(join(project.root, '.warren/stack.lock'))).toBe(false);
      await expect(new pg.Client(database).connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    }
  }, 240_000);

  it('a part whose variable is set is not started', async () => {
    project = await DevProject.make({
      'serverless.yml': service('[postgres]'),
      'work.ts':
        'export const handler = async () => ({ statusCode: 200, body: String(process.env.DATABASE_URL) });',
    });
    const run = project.start({ AMQP_URL: stack.AMQP_URL, DATABASE_URL: stack.DATABASE_URL });
    await run.printed(/up after/);
    const [url = ''] = /http:\/\/127\.0\.0\.1:\d+\//.exec(run.text()) ?? [];
    expect(await (await fetch(url, { method: 'POST' })).text()).toBe(stack.DATABASE_URL);
    expect(existsSync(join(project.root, '.warren/postgres'))).toBe(false);
  }, 120_000);

  it('a part that does not exist is refused with its place in serverless.yml, before anything starts', async () => {
    project = await DevProject.make({ 'serverless.yml': service('[postgres, mysql]') });
    const run = project.start({ AMQP_URL: stack.AMQP_URL });
    expect(await run.ended).toBe(1);
    expect(run.text()).toMatch(/serverless\.yml:12:\d+: custom\.warren\.dev\.parts\.1: /);
    expect(existsSync(join(project.root, '.warren/postgres'))).toBe(false);
  }, 90_000);

  it('a part that cannot start ends the command and the parts that have started', async () => {
    project = await DevProject.make({ 'serverless.yml': service('[postgres, storage]'), 'work.ts': work });
    const own = { DATABASE_URL: '', S3_ENDPOINT: '', WARREN_STORAGE: 'another' };
    const run = project.start({ ...own, AMQP_URL: stack.AMQP_URL });
    expect(await run.ended).toBe(1);
    expect(run.text()).toMatch(/WARREN_STORAGE: expected "versitygw" or "s3rver", got "another"/);
    expect(existsSync(join(project.root, '.warren/stack.lock'))).toBe(false);
    expect(existsSync(join(project.root, '.warren/postgres/postmaster.pid'))).toBe(false);
  }, 120_000);

  it('a part whose package is missing is reported with the command that installs it', async () => {
    const advice = 'run npm install --save-dev no-such-part, or set PART_URL';
    await expect(loadPackage('no-such-part', advice)).rejects.toThrow(
      `no-such-part is not installed: ${advice}`,
    );
  });
});
