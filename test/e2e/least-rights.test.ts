import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { RpcClient } from '../../runtime/amqp/rpc-client.ts';
import { mintToken, scopes } from '../../shared/auth/tokens.ts';
import { composeEnvironments } from '../support/compose.ts';
import { ContainerSystem, services } from '../support/container/system.ts';
import { kubernetesEnvironments } from '../support/kubernetes.ts';

const run = promisify(execFile);
const patience = { timeout: 60_000, interval: 200 };

interface Queues {
  queues: { queue: string; ready: number | null; retrying: number | null; in_flight: number | null }[];
  dead_letters: number;
}

describe('the whole system with the logins of compose.yaml and of the manifests for Kubernetes', () => {
  let system: ContainerSystem;

  beforeAll(async () => {
    const given = { WARREN_STORAGE: 's3rver', WARREN_RABBITMQ: process.env['WARREN_RABBITMQ'] };
    system = await ContainerSystem.start(given, kubernetesEnvironments);
  }, 900_000);
  afterAll(() => system?.stop(), 120_000);

  const urlOf = (user: string) => {
    const password =
      system.environments.secrets[`AMQP_PASSWORD_${user.toUpperCase().replaceAll('-', '_')}`] ?? '';
    return Object.assign(new URL(system.stack.env.AMQP_URL), { username: user, password }).href;
  };
  const queues = async () => {
    const secret = system.environments.secrets['AUTH_JWT_SECRET'] ?? '';
    const token = await mintToken({ secret, sub: '1', scopes, expiresInSeconds: 600 });
    const response = await fetch(`${system.url}/queues`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(response.status).toBe(200);
    return (await response.json()) as Queues;
  };
  const warren = async (user: string, ...args: string[]) => {
    const env = { ...process.env, WARREN_DATA: '/nowhere', AMQP_URL: urlOf(user) };
    const { stdout, stderr } = await run(process.execPath, [projectFile('dev/warren.mjs'), ...args], { env });
    // No warning; on a slow machine, progress is printed.
    expect(stderr).toMatch(/^((looked at|read) [^\n]+\n)*$/);
    return stdout;
  };
  /** What went wrong, except for what a busy machine did not finish in time: a right that is missing is refused at once. */
  const refusals = () =>
    system
      .lines()
      .filter((line) => /"level":"(error|warn)"|ACCESS.REFUSED/.test(line))
      .filter((line) => !/due to connection timeout|took too long/.test(line));

  it('least rights: compose.yaml and the manifests for Kubernetes give each service the same logins', () => {
    const compose = composeEnvironments(system.environments.secrets);
    const login = (url: string | undefined) => url && /\/\/(.*)@/.exec(url)?.[1];
    for (const name of services) {
      const [one, other] = [compose.of(name), system.environments.of(name)];
      expect(login(one['AMQP_URL'])).toMatch(new RegExp(`^${name}:[0-9a-f]+$`));
      expect(login(other['AMQP_URL'])).toBe(login(one['AMQP_URL']));
      expect(login(other['AMQP_MANAGEMENT_URL'])).toBe(login(one['AMQP_MANAGEMENT_URL']));
    }
  });

  it('least rights: the main job works over HTTP', async () => {
    await system.expectDemo();
    expect(refusals()).toEqual([]);
  });

  it('least rights: GET /queues and watch-queues count every queue', async () => {
    const counted = await queues();
    expect(counted.dead_letters).toBe(0);
    for (const state of counted.queues) {
      expect(state).toMatchObject({ ready: expect.any(Number), retrying: expect.any(Number) });
      expect(state.in_flight).not.toBeNull();
    }
    const output = await system.containers.runToEnd('schedule', ['schedule', '--once']);
    expect(output).toContain('"DeadLetters":0');
    expect(output).not.toMatch(/"level":"(error|warn)"/);
  });

  it('least rights: a message that fails is dead-lettered, listed, replayed and dropped', async () => {
    const publisher = new Publisher({ url: urlOf('picture-client'), name: 'test' });
    await publisher.publish({ exchange: 'upload-pictures', routingKey: '', body: { no: 'picture' } });
    await publisher.close();
    await expect.poll(async () => (await queues()).dead_letters, patience).toBeGreaterThanOrEqual(4);
    expect(await warren('operator', 'dead-letters', 'list', '--queue', 'log-upload')).toContain('log-upload');
    expect(await warren('operator', 'dead-letters', 'replay', '--queue', 'log-upload')).toContain(
      'put back 1',
    );
    await expect.poll(async () => (await queues()).dead_letters, patience).toBeGreaterThanOrEqual(4);
    for (const command of ['summary', 'list --page', 'reindex']) {
      expect(await warren('operator', 'dead-letters', ...command.split(' '))).not.toBe('');
    }
    await warren('operator', 'dead-letters', 'drop', '--all', '--yes');
    expect(refusals().filter((line) => /refused/i.test(line))).toEqual([]);
  });

  it('least rights: programs of others raise alerts and call methods', async () => {
    expect(await warren('alert-client', 'publish', 'alerts', 'critical.disk', 'full')).toBeTruthy();
    const rpc = new RpcClient({ url: urlOf('rpc-client'), name: 'test' });
    const time = Date.now() / 1000;
    expect((await rpc.call('ping', { client_name: 'test', time })).body).toBe(`Pong!${time}`);
    await rpc.close();
  });
});
