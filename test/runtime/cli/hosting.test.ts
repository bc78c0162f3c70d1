import { type ExecFileException, execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import { passwordVariable } from '../../../runtime/cli/broker-users.ts';
import { management, openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

type Env = Record<string, string>;
interface Result {
  code: number;
  out: string;
  err: string;
}

/** The commands of a container besides the worker and `warren serve`, run as a deployment runs them. */
describe('the warren command in a deployment', () => {
  const [exchange, queue, given, made] = [unique('ex'), unique('q'), unique('given'), unique('made')];
  let folder: string;
  let broker: TestBroker;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warren-hosting-'));
    broker = await openBroker();
    const warren = {
      exchanges: { [exchange]: { type: 'topic' } },
      queues: { [queue]: { bindings: [{ exchange, routingKey: 'a' }] } },
      users: { [given]: { functions: ['work'] }, [made]: { publishes: [exchange] } },
    };
    const functions = {
      work: { handler: 'work.fine', events: [{ rabbitmq: { queue } }] },
      fine: { handler: 'work.fine', events: [{ schedule: 'rate(1 hour)' }] },
      broken: { handler: 'work.broken', events: [{ schedule: 'rate(1 hour)' }] },
    };
    // JSON is YAML.
    await writeFile(join(folder, 'serverless.yml'), JSON.stringify({ custom: { warren }, functions }));
    await writeFile(join(folder, 'warren.json'), JSON.stringify({ functions, custom: { warren } }));
    const handlers = [
      'export const fine = async (event) => console.log(event["detail-type"]);',
      'export const broken = async () => { throw new Error("broken"); };',
    ];
    await writeFile(join(folder, 'work.mjs'), handlers.join('\n'));
  });
  afterAll(async () => {
    await broker.remove(queue);
    await broker.channel.deleteExchange(exchange);
    await broker.close();
    for (const user of [given, made]) await management('DELETE', `/users/${user}`);
    await rm(folder, { recursive: true, force: true });
  });

  const warren = (args: readonly string[], own: Env = {}, base: Env = { ...stack }): Promise<Result> => {
    const { PATH = '', HOME = '' } = process.env;
    const env = { PATH, HOME, ...base, WARREN_DATA: '/nowhere', ...own };
    const all = [projectFile('dev/warren.mjs'), ...args];
    return new Promise((resolve) => {
      const done = (error: ExecFileException | null, out: string, err: string) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err });
      execFile(process.execPath, all, { env, cwd: folder, timeout: 60_000 }, done);
    });
  };
  const login = async (username: string, password: string) => {
    const url = Object.assign(new URL(stack.AMQP_URL), { username, password });
    await (await connect(url.href)).close();
  };

  it.each([
    ['topology', 'apply'],
    ['dead-letters', 'list'],
  ])('%s %s: the second address is used if the first is unavailable', async (...command) => {
    const url = `amqp://127.0.0.1:1,${stack.AMQP_URL}`;
    const { code, err } = await warren([...command, '--json'], { AMQP_URL: url });
    expect({ code, err }).toMatchObject({ code: 0 });
  });

  it('topology apply --users: users get the given passwords, or generated ones', async () => {
    const apply = ['topology', 'apply', '--users', '--json'];
    const own = { [passwordVariable(given)]: 'a password of theirs' };
    const { code, out, err } = await warren(apply, own);
    expect(code, err).toBe(0);
    const { users } = JSON.parse(out) as { users: { name: string; was: string; password?: string }[] };
    expect(users).toEqual([
      { name: given, was: 'created' },
      { name: made, was: 'created', password: expect.any(String) },
    ]);
    expect(out).not.toContain('theirs');
    await login(given, 'a password of theirs');
    await login(made, users[1]?.password ?? '');
    const again = await warren(apply, own);
    expect(JSON.parse(again.out)).toMatchObject({
      users: [
        { name: given, was: 'unchanged' },
        { name: made, was: 'unchanged' },
      ],
    });
  });

  it('topology apply --users: a login without the right creates no user', async () => {
    const url = Object.assign(new URL(stack.AMQP_MANAGEMENT_URL), { username: made, password: 'wrong' });
    const { code, err } = await warren(['topology', 'apply', '--users'], { AMQP_MANAGEMENT_URL: url.href });
    expect([code, err]).toEqual([1, expect.stringContaining('answered 401')]);
    expect(err).not.toContain('wrong');
  });

  it('prepare: broker, database and bucket are prepared, and each step is reported', async () => {
    const S3_BUCKET = unique('bucket').toLowerCase().replaceAll('_', '-');
    const prepare = (...args: string[]) => warren(['prepare', '--json', ...args], { S3_BUCKET });
    const first = await prepare();
    expect(first.code, first.err).toBe(0);
    // The tables are those of this run of the tests.
    expect(JSON.parse(first.out)).toMatchObject({ users: [], migrations: [], samples: 0, bucket: S3_BUCKET });
    expect(await prepare()).toEqual(first);
    expect(JSON.parse((await prepare('--no-bucket')).out)).not.toHaveProperty('bucket');
  }, 120_000);

  it('prepare: every missing setting is named before anything changes', async () => {
    const { code, err } = await warren(['prepare'], {}, {});
    expect(code).toBe(1);
    for (const variable of ['AMQP_URL', 'DATABASE_URL', 'S3_BUCKET']) expect(err).toContain(variable);
  });

  it('schedule --once: each function is called once, and the exit code reports failures', async () => {
    const once = (...functions: string[]) =>
      warren(['schedule', ...functions, '--once', '--manifest', 'warren.json']);
    const fine = await once('fine');
    expect([fine.code, fine.out]).toEqual([0, expect.stringContaining('Scheduled Event')]);
    const all = await once();
    expect([all.code, all.out]).toEqual([1, expect.stringContaining('scheduled call failed')]);
    // The one that failed did not keep the other from being called.
    expect(all.out).toContain('Scheduled Event');
    const nobody = await once('work');
    expect([nobody.code, nobody.err]).toEqual([1, expect.stringContaining('expected some of fine, broken')]);
  });
});
