import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectDir, projectFile } from '../../../dev/stack/project.ts';
import WarrenPlugin from '../../../runtime/serverless/plugin.ts';
import { runWarren } from '../../support/warren-command.ts';

const { resolve } = createRequire(projectFile('package.json'));

describe('serverless.schema.json', () => {
  let validate: ValidateFunction;
  beforeAll(async () => {
    const schema = JSON.parse(await readFile(resolve('warren/serverless.schema.json'), 'utf8'));
    validate = new Ajv({ allErrors: true, strictTypes: false }).compile(schema);
  });
  /** The places of what is wrong, without those of the alternative that a value is a variable. */
  const wrong = (yml: string) => {
    validate(parse(yml, { merge: true }));
    const errors = (validate.errors ?? []).filter(({ schemaPath }) => !/variable|anyOf$/.test(schemaPath));
    return errors.map(({ instancePath, keyword }) => `${instancePath} ${keyword}`);
  };

  it.each(['serverless.yml', 'runtime/template/common/serverless.yml'])(
    'accepts %s, which names it for editors',
    async (path) => {
      const yml = await readFile(projectFile(path), 'utf8');
      expect(wrong(yml)).toEqual([]);
      const [, named = ''] = /^# yaml-language-server: \$schema=(.*)\n/.exec(yml) ?? [];
      expect(join(projectDir, named)).toBe(projectFile('node_modules/warren/serverless.schema.json'));
    },
  );

  it('accepts a variable in the place of any value', () => {
    const variable = (name: string) => `"\${${name}}"`;
    const variables = [
      `custom: { warren: ${variable('file(warren.yml)')} }`,
      `custom: { warren: { queues: { q: { maxAge: ${variable('param:age')}, bindings: ${variable('file(b.yml)')} } } } }`,
      `functions: { f: { events: [{ rabbitmq: { queue: q, batchSize: ${variable('param:size, 5')} } }] } }`,
    ];
    expect(variables.map(wrong)).toEqual([[], [], []]);
  });

  const section = '/custom/warren';
  it.each([
    ['queues: { q: { retryDelay: [1] } }', `${section}/queues/q additionalProperties`],
    ['queues: { q: { kind: jobs } }', `${section}/queues/q/kind enum`],
    ['queues: { q: { retryDelays: [0] } }', `${section}/queues/q/retryDelays/0 minimum`],
    ['queues: { q: { bindings: [{ routingKey: a }] } }', `${section}/queues/q/bindings/0 required`],
    ['queues: { amq.q: {} }', `${section}/queues pattern`],
    ['exchanges: { e: { type: fan } }', `${section}/exchanges/e/type enum`],
    ['methods: { ping: { rate: 5/day } }', `${section}/methods/ping/rate pattern`],
    ['retry: 5', `${section} additionalProperties`],
  ])('refuses custom.warren with %s', (yml, problem) => {
    expect(wrong(`custom: { warren: { ${yml} } }`)).toContain(problem);
  });

  it.each([
    ['{ queue: q, batchsize: 5 }', 'additionalProperties'],
    ['{ batchSize: 5 }', 'required'],
  ])('refuses a rabbitmq event with %s', (event, problem) => {
    const yml = `functions: { f: { events: [{ rabbitmq: ${event} }] } }`;
    expect(wrong(yml)).toContain(`/functions/f/events/0/rabbitmq ${problem}`);
  });

  it('describes each setting of a queue', async () => {
    const schema = await readFile(resolve('warren/serverless.schema.json'), 'utf8');
    const { custom } = JSON.parse(schema).properties;
    const queue = custom.properties.warren.anyOf[0].properties.queues.anyOf[0].additionalProperties.anyOf[0];
    const bare = Object.entries<{ description?: string }>(queue.properties)
      .filter(([, { description }]) => !description)
      .map(([name]) => name);
    expect(bare).toEqual([]);
  });
});

describe('a mistake in serverless.yml', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'places-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const lines = (...text: string[]) => `${text.join('\n')}\n`;
  const broken = lines(
    'service: places',
    'provider: { name: aws }',
    'x-queue: &queue',
    '  retryDelay: [1]',
    'custom:',
    '  warren:',
    '    queues:',
    '      parcels: *queue',
    '      letters:',
    '        maxAge: 0',
    'functions: {}',
  );
  const inconsistent = lines(
    'custom:',
    '  warren:',
    '    queues:',
    '      parcels:',
    '        bindings: [{ exchange: orders }]',
  );
  const wrongEvent = lines(
    'service: places',
    'provider: { name: aws }',
    'custom: { warren: { queues: { parcels: {} } } }',
    'functions:',
    '  send:',
    '    handler: send.handler',
    '    events:',
    '      - httpApi: GET /send',
    '      - rabbitmq:',
    '          queue: parcels',
    '          batchSize: 0',
  );
  const write = async (text: string) => {
    const file = join(folder, 'serverless.yml');
    await writeFile(file, text);
    return file;
  };

  it.each([
    ['a value', broken, /serverless\.yml:10:9: custom\.warren\.queues\.letters\.maxAge: /],
    ['an alias', broken, /serverless\.yml:4:3: custom\.warren\.queues\.parcels\.retryDelay: unknown key/],
    ['a topology', inconsistent, /serverless\.yml:5:20: queue "parcels" is bound to exchange "orders"/],
  ])('warren topology: %s is reported with file and line', async (_what, text, expected) => {
    const { err } = await runWarren(['topology', 'show', '-c', await write(text)], {});
    expect(err).toMatch(expected);
  });

  it('the plugin of the serverless CLI reports file and line of an event', async () => {
    await write(wrongEvent);
    const serverless = { service: parse(wrongEvent), serviceDir: folder };
    const log = { notice: () => undefined, warning: () => undefined };
    const plugin = new WarrenPlugin(serverless as never, {}, { log });
    await expect(plugin.hooks['initialize']?.()).rejects.toThrow(
      /serverless\.yml:11:11: functions\.send: rabbitmq: batchSize: /,
    );
  });
});
