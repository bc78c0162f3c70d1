import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectFile } from '../../dev/stack/project.ts';
import { readMappings } from '../../runtime/event-source/mapping.ts';
import { compileTopology } from '../../runtime/topology/compile.ts';
import { consumedQueues } from '../../runtime/topology/consumed-queues.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { compileUsers } from '../../runtime/topology/user-rights.ts';
import { variablesOfHandler } from '../support/resources.ts';

interface FunctionSection {
  handler: string;
  timeout?: number;
  environment?: Record<string, string>;
  events: { rabbitmq?: { queue: string; batchSize?: number }; httpApi?: string }[];
}

const text = readFileSync(projectFile('serverless.yml'), 'utf8');
const yml = parse(text, { merge: true }) as {
  provider: { timeout: number; environment: Record<string, string> };
  custom: { warren: unknown; deploy: { secrets: Record<string, string> } };
  functions: Record<string, FunctionSection>;
};
const functions = Object.entries(yml.functions);
const files = functions.map(([, { handler }]) => handler.replace(/\.handler$/, '.ts'));

describe('serverless.yml', () => {
  it.each(functions)('has %s handled by a file that exports a handler', async (_name, { handler }) => {
    expect(handler).toMatch(/\.handler$/);
    const module = (await import(projectFile(handler.replace(/\.handler$/, '.ts')))) as Record<
      string,
      unknown
    >;
    expect(module['handler']).toBeTypeOf('function');
    expect(module['createHandler']).toBeTypeOf('function');
  });

  it('names every file under functions/', () => {
    const found = readdirSync(projectFile('functions'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => `functions/${path}`);
    expect(found.sort()).toEqual([...files].sort());
  });

  it.each(functions)('has a sample event for %s', (name, { events }) => {
    const path = projectFile(`test/support/events/${name}.json`);
    expect(existsSync(path)).toBe(true);
    const event = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    const queues = events.flatMap(({ rabbitmq }) => (rabbitmq ? [`${rabbitmq.queue}::/`] : []));
    const routes = events.flatMap(({ httpApi }) => (httpApi ? [httpApi] : []));
    if (queues.length > 0) expect(queues).toContain(Object.keys(event['rmqMessagesByQueue'] as object)[0]);
    else if (routes.length > 0) expect(routes).toContain(event['routeKey']);
    else expect(event['source']).toBe('aws.events');
  });

  it('holds a topology that agrees with itself and with the functions', () => {
    const topology = compileTopology(readSection(yml.custom.warren), consumedQueues(yml.functions));
    const mappings = readMappings(yml.functions);
    const consumed = topology.queues.filter(
      ({ name, retryOf, partitionOf }) =>
        retryOf === undefined && partitionOf === undefined && !name.startsWith('warren.'),
    );
    const work = consumed.map(({ name }) => name);
    // A queue without a consumer would fill up.
    expect(mappings.map(({ queue }) => queue).sort()).toEqual(work.sort());
  });

  it('has logins for AWS in docs/deploy-aws.md, with the rights that its mappings and functions need', () => {
    const page = readFileSync(projectFile('docs/deploy-aws.md'), 'utf8');
    const [mapped = {}, polled = {}] = [...page.matchAll(/```yaml\n(users:\n[\s\S]*?)```/g)].map(
      ([, block = '']) => {
        const { users } = parse(block) as { users: Record<string, object> };
        const section = readSection({ ...(yml.custom.warren as object), users });
        return Object.fromEntries(compileUsers(section, yml.functions).map((user) => [user.name, user]));
      },
    );
    const allows = (pattern = '', ...names: string[]) =>
      names.filter((each) => new RegExp(pattern).test(each));
    const topology = compileTopology(readSection(yml.custom.warren));
    const fed = readMappings(yml.functions).map(({ queue }) => queue);
    const own = topology.polled ?? [];
    expect(mapped['aws-mapping']).toMatchObject({ configure: '^$', write: '^$' });
    expect(allows(mapped['aws-mapping']?.read, ...topology.queues.map(({ name }) => name)).sort()).toEqual(
      fed.filter((queue) => !own.includes(queue)).sort(),
    );
    // What it sets aside, and nothing else: functions publish with logins of their own.
    const exchanges = topology.exchanges.map(({ name }) => name);
    expect(allows(mapped['adapter']?.read, ...fed)).toEqual(own);
    expect(allows(mapped['adapter']?.write, ...exchanges, 'amq.default').sort()).toEqual(
      ['warren.dead', 'warren.retry'].sort(),
    );
    const all = fed.filter((queue) => !['ping', 'describe-picture'].includes(queue));
    expect(allows(polled['adapter']?.read, ...fed).sort()).toEqual(all.sort());
    expect(allows(polled['adapter']?.write, ...exchanges, 'amq.default')).toContain('amq.default');
  });

  it('gives no function more time than RabbitMQ waits for an acknowledgement', () => {
    for (const [name, { timeout = yml.provider.timeout }] of functions) {
      expect(timeout, name).toBeLessThan(15 * 60);
    }
  });

  it('gives HTTP functions an answer before the gateway gives up', () => {
    for (const [name, { timeout = yml.provider.timeout, events }] of functions) {
      if (events.some(({ httpApi }) => httpApi)) expect(timeout, name).toBeLessThan(30);
    }
  });

  it('serverless.yml: a function gets the variables that its resources read, and no others', async () => {
    const secrets = Object.keys(yml.custom.deploy.secrets);
    const given = new Set(functions.flatMap(([, { environment = {} }]) => Object.keys(environment)));
    // The logins of administrators are for the function alone that a deployment adds.
    const isAdministrators = (name: string) => name.startsWith('ADMIN_');
    expect(secrets.filter((name) => !given.has(name))).toEqual(secrets.filter(isAdministrators));
    // Every function can read what the provider's environment contains.
    expect(secrets.filter((name) => name in yml.provider.environment)).toEqual([]);
    for (const [name, { handler, environment = {} }] of functions) {
      const read = await variablesOfHandler(handler);
      const expected = [...given].filter((variable) => read.has(variable));
      expect(Object.keys(environment).sort(), name).toEqual(expected.sort());
    }
  });
});
