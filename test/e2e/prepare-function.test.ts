import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { type Kysely, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answering, type CustomResourceEvent } from '../../deploy/prepare-function/custom-resource.ts';
import { prepareStack } from '../../deploy/prepare-function/handler.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import { migrateToLatest } from '../../shared/database/migrate.ts';
import type { Database } from '../../shared/database/schema.ts';
import { management } from '../support/broker.ts';
import { stack } from '../support/stack.ts';
import { openVhost, type TestVhost } from '../support/vhost.ts';

interface Answer {
  Status: string;
  Reason?: string;
  Data?: Record<string, string>;
  PhysicalResourceId: string;
  RequestId: string;
}

const user = `http-${randomUUID().slice(0, 8)}`;
const role = `role_${randomUUID().slice(0, 8)}`;
const name = `test_${randomUUID().replaceAll('-', '')}`;
const password = 'pa55:w/rd%';

let folder: string;
let file: string;
let vhost: TestVhost;
let server: Kysely<Database>;
let api: Server;
let env: Record<string, string>;
const answers: Answer[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-prepare-'));
  file = join(folder, 'serverless.yml');
  const queues = 'queues: { parcels: { bindings: [{ exchange: post }] } }';
  const users = `users: { ${user}: { publishes: [post] }, other: { publishes: [post] } }`;
  const section = `exchanges: { post: { type: fanout } }, ${queues}, ${users}`;
  await writeFile(file, `service: post\ncustom: { warren: { ${section} } }\nfunctions: {}\n`);
  vhost = await openVhost({});
  server = connectDatabase({ url: stack.DATABASE_URL, name, connections: 1 });
  await sql`create database ${sql.id(name)}`.execute(server);
  api = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    answers.push(JSON.parse(body) as Answer);
    // S3 refuses an answer whose content type is not the one that was signed.
    response.writeHead(request.method === 'PUT' && !request.headers['content-type'] ? 200 : 403).end();
  });
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
  const login = (url: string, username: string) =>
    Object.assign(new URL(url), { username, password: encodeURIComponent(password) }).href;
  const database = Object.assign(new URL(stack.DATABASE_URL), { pathname: name }).href;
  env = {
    ADMIN_AMQP_URL: vhost.url,
    ADMIN_AMQP_MANAGEMENT_URL: stack.AMQP_MANAGEMENT_URL,
    ADMIN_DATABASE_URL: database,
    LOGIN_AMQP_HTTP: login(vhost.url, user),
    LOGIN_DATABASE_FUNCTIONS: login(database, role),
  };
});

afterAll(async () => {
  api.close();
  await vhost.close();
  await management('DELETE', `/users/${user}`);
  await management('DELETE', '/users/aws-mapping');
  await sql`drop database ${sql.id(name)} with (force)`.execute(server);
  await sql`drop role if exists ${sql.id(role)}`.execute(server);
  await server.destroy();
  await rm(folder, { recursive: true, force: true });
});

const request = (RequestType: CustomResourceEvent['RequestType']): CustomResourceEvent => ({
  RequestType,
  ResponseURL: `http://127.0.0.1:${(api.address() as AddressInfo).port}/answer?signature=x`,
  StackId: 'arn:aws:cloudformation:eu-west-1:123456789012:stack/warren-prod/1',
  RequestId: randomUUID(),
  LogicalResourceId: 'Prepared',
});

async function answerTo(
  type: CustomResourceEvent['RequestType'],
  work: () => Promise<Record<string, string>>,
  remainingMs = 300_000,
): Promise<Answer | undefined> {
  const event = request(type);
  const context = { getRemainingTimeInMillis: () => remainingMs, logStreamName: 'stream' };
  await answering(event, context, work);
  return answers.find(({ RequestId }) => RequestId === event.RequestId);
}

describe.sequential('the function that prepares a deployment', () => {
  it('prepare: the first deployment has its queues, its tables and the logins of its groups', async () => {
    const answer = await answerTo('Create', () => prepareStack(env, file));
    expect(answer).toMatchObject({ Status: 'SUCCESS', PhysicalResourceId: 'Prepared' });
    expect(answer?.Data).toMatchObject({ Users: `${user}:created` });
    expect(answer?.Data?.['Migrations']).toContain('0001-initial');
    expect(await vhost.count('parcels')).toBe(0);
    const connection = await connect(String(env['LOGIN_AMQP_HTTP']));
    await connection.close();
    const db = connectDatabase({ url: String(env['LOGIN_DATABASE_FUNCTIONS']), name, connections: 1 });
    await expect(sql`select count(*) from pictures`.execute(db)).resolves.toBeDefined();
    await expect(sql`create table mine (id int)`.execute(db)).rejects.toThrow();
    await db.destroy();
  });

  it('prepare: a repeated deployment changes nothing', async () => {
    const answer = await answerTo('Update', () => prepareStack(env, file));
    expect(answer).toMatchObject({ Status: 'SUCCESS', Data: { Users: `${user}:unchanged`, Migrations: '' } });
  });

  it("prepare: the login of AWS's mappings may take messages from their queues, and do nothing else", async () => {
    const mapped = {
      ...env,
      MAPPING_LOGIN_NAME: 'aws-mapping',
      MAPPING_LOGIN_PASSWORD: password,
      AWS_USERS: JSON.stringify({ 'aws-mapping': { consumes: ['parcels'] } }),
    };
    const answer = await answerTo('Update', () => prepareStack(mapped, file));
    expect(answer?.Data?.['Users']).toContain('aws-mapping:created');
    const rights = await management('GET', `/permissions${new URL(vhost.url).pathname}/aws-mapping`);
    expect(rights).toMatchObject({ configure: '^$', write: '^$', read: '^(parcels)$' });
    const connection = await connect(
      Object.assign(new URL(vhost.url), { username: 'aws-mapping', password: encodeURIComponent(password) })
        .href,
    );
    await connection.close();
  });

  it('prepare: a mapping that logs in as somebody else leaves the rights of that login alone', async () => {
    const administrator = { ...env, MAPPING_LOGIN_NAME: 'guest', MAPPING_LOGIN_PASSWORD: 'guest' };
    const answer = await answerTo('Update', () => prepareStack(administrator, file));
    expect(answer).toMatchObject({ Status: 'SUCCESS', Data: { Users: `${user}:unchanged` } });
  });

  it('prepare: a failure ends the deployment with its reason, without a secret', async () => {
    const wrong = Object.assign(new URL(String(env['ADMIN_DATABASE_URL'])), { port: '1' }).href;
    const answer = await answerTo('Update', () => prepareStack({ ...env, ADMIN_DATABASE_URL: wrong }, file));
    expect(answer).toMatchObject({ Status: 'FAILED', Reason: expect.stringContaining('the database') });
    const none = await answerTo('Update', () => prepareStack({}, file));
    expect(none?.Reason).toContain('ADMIN_AMQP_URL');
    expect(JSON.stringify(answers)).not.toContain('pa55');
  });

  it('prepare: a call that takes too long fails before its time is over', async () => {
    const answer = await answerTo('Update', () => new Promise(() => undefined), 15_050);
    expect(answer).toMatchObject({ Status: 'FAILED', Reason: expect.stringContaining('it took too long') });
  });

  it('prepare: the removal of the stack does nothing', async () => {
    const answer = await answerTo('Delete', () => Promise.reject(new Error('never called')));
    expect(answer).toMatchObject({ Status: 'SUCCESS', Data: {} });
  });

  it('prepare: a rollback to older code leaves a database that newer code has migrated', async () => {
    const url = String(env['ADMIN_DATABASE_URL']);
    const db = connectDatabase({ url, name, connections: 1 });
    await sql`insert into kysely_migration (name, timestamp) values ('9999-later', 'now')`.execute(db);
    await db.destroy();
    expect(await migrateToLatest(url)).toEqual([]);
  });
});
