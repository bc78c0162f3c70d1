import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { errorsTable } from '../../../dev/docs/errors.ts';
import { effectOf, functionsTable, readService } from '../../../dev/docs/functions.ts';
import { replaceBetween, table } from '../../../dev/docs/markdown.ts';
import { settingsTable } from '../../../dev/docs/settings.ts';
import { generatedPages } from '../../../dev/docs/tables.ts';
import { projectFile } from '../../../dev/stack/project.ts';

const page = (path: string) => readFileSync(projectFile(path), 'utf8');

describe('docs/', () => {
  let pages: Map<string, string>;
  beforeAll(async () => {
    pages = await generatedPages();
  });

  it('pages: have the tables that `npm run docs` generates', () => {
    expect([...pages.keys()]).toEqual(expect.arrayContaining(['docs/functions.md', 'docs/settings.md']));
    for (const [path, text] of pages) expect(page(path), `${path}: run npm run docs`).toBe(text);
  });

  it('functions page: has the reason why a second delivery does no harm, for each function', () => {
    const text = pages.get('docs/functions.md') ?? '';
    const [, section = ''] = text.split('## A second delivery');
    const rows = section.split('\n## ')[0]?.matchAll(/^\| (`.*?`) \|/gm) ?? [];
    const named = [...rows].flatMap(([, cell = '']) => cell.replaceAll('`', '').split(', '));
    const functions = [...text.matchAll(/^\| `([\w-]+)` \|.*\.ts\) \|/gm)].map(([, name = '']) => name);
    expect(functions.length).toBeGreaterThan(30);
    expect(named.toSorted()).toEqual(functions.toSorted());
  });
});

describe('functionsTable', () => {
  const service = (entry: object) =>
    readService({
      custom: { environment: { broker: { AMQP_URL: '' } } },
      functions: { sort: { handler: 'functions/parcels/sort.handler', ...entry } },
    });
  const source = () => '/**\n * Triggered by something: sorts parcels\n * by city. Reads only.\n */\n';

  it.each([
    ['a route', [{ httpApi: 'POST /parcels' }], '`POST /parcels`'],
    ['a queue', [{ rabbitmq: { queue: 'parcels' } }], 'queue `parcels`'],
    ['queues', [{ rabbitmq: { queue: 'a' } }, { rabbitmq: { queue: 'b' } }], 'queues `a`, `b`'],
    ['a schedule', [{ schedule: 'rate(1 minute)' }], 'schedule `rate(1 minute)`'],
    [
      'a disabled schedule',
      [{ schedule: { rate: 'rate(1 hour)', enabled: false } }],
      'schedule `rate(1 hour)`, disabled',
    ],
  ])('trigger: describes %s', (_, events, trigger) => {
    const environment = { AMQP_URL: '', CITY: 'Paris' };
    expect(functionsTable(service({ events, environment }), source).split('\n')).toEqual([
      '| function | triggered by | file | effect | settings |',
      '|---|---|---|---|---|',
      `| \`sort\` | ${trigger} | [parcels/sort.ts](../functions/parcels/sort.ts) | sorts parcels by city | broker, \`CITY\` |`,
    ]);
  });

  it('trigger: refuses an event of an unknown kind', () => {
    expect(() => service({ events: [{ sqs: 'arn' }] })).toThrow();
  });

  it.each([
    ['the rest of the sentence', 'Triggered by `GET /x/{id}`: returns an x. Reads only.', 'returns an x'],
    ['a sentence of its own', 'Triggered by the queue `x`. Counts each x. Reads only.', 'Counts each x'],
    ['a sentence with a name', 'Triggered by a schedule: reads a.ts of AWS. Done.', 'reads a.ts of AWS'],
  ])('effect: is %s after the trigger', (_, comment, effect) => {
    expect(effectOf(`/** ${comment} */\ncode`, 'x.ts')).toBe(effect);
  });

  it('effect: refuses a file without a header comment that names the trigger', () => {
    expect(() => effectOf('/** Sorts. */', 'x.ts')).toThrow('x.ts: expected a header comment');
    expect(() => effectOf('code', 'x.ts')).toThrow('x.ts: expected a header comment');
    expect(() => effectOf('/** Triggered by a queue. */', 'x.ts')).toThrow('x.ts: expected the effect');
  });
});

describe('settingsTable', () => {
  const broker = () => z.object({ AMQP_URL: z.string().min(1).describe('the broker') });
  const rate = () =>
    z.object({
      RATE: z.string().default('1/second').transform(Number).describe('a rate'),
      SIZES: z.array(z.number()).default([1, 2]).describe('sizes'),
      PROXY: z.string().optional().describe('a proxy | none'),
    });
  const handler = (...settings: (typeof broker | typeof rate)[]) => ({ resources: { part: { settings } } });

  it('lists each variable with its group, meaning, default and readers', () => {
    const handlers = { sort: handler(broker, rate), send: handler(broker), count: handler() };
    const log = () => z.object({ LOG_LEVEL: z.string().default('info').describe('the level') });
    const api = () => z.object({ API: z.string().describe('an API') });
    const groups = new Map([['AMQP_URL', 'broker']]);
    const made = settingsTable({ handlers, common: [log], commands: [api], groups });
    expect(made.split('\n').slice(2)).toEqual([
      '| `LOG_LEVEL` |  | the level | `info` | all functions |',
      '| `AMQP_URL` | broker | the broker | required | `sort`, `send` |',
      '| `RATE` |  | a rate | `1/second` | `sort` |',
      '| `SIZES` |  | sizes | `[1,2]` | `sort` |',
      '| `PROXY` |  | a proxy \\| none |  | `sort` |',
      '| `API` |  | an API | required | commands |',
    ]);
  });

  it('refuses a variable without a description, and one with two', () => {
    const make = (...settings: (() => z.ZodObject)[]) =>
      settingsTable({
        handlers: { sort: { resources: { part: { settings } } } },
        common: [],
        commands: [],
        groups: new Map(),
      });
    const silent = () => z.object({ AMQP_URL: z.string() });
    const other = () => z.object({ AMQP_URL: z.string().describe('another broker') });
    expect(() => make(silent)).toThrow('AMQP_URL: expected a description, got none');
    expect(() => make(broker, other)).toThrow('AMQP_URL: expected one description, got two');
  });
});

describe('errorsTable', () => {
  it('lists each code with its class, its situation and its remedy', () => {
    const made = errorsTable({
      ERR_CONFIG: { class: 'WarrenError', when: 'a setting is missing', action: 'set it' },
      ERR_LATE: { class: '`LateError`, a `WarrenError`', when: 'too late', action: 'repeat it' },
    });
    expect(made.split('\n')).toEqual([
      '| code | class | when | what to do |',
      '|---|---|---|---|',
      '| `ERR_CONFIG` | `WarrenError` | a setting is missing | set it |',
      '| `ERR_LATE` | `LateError`, a `WarrenError` | too late | repeat it |',
    ]);
  });
});

describe('replaceBetween', () => {
  it('replaces the text between the two comments and keeps the rest', () => {
    const text = 'before\n<!-- x:begin -->\nold\n<!-- x:end -->\nafter\n';
    const made = replaceBetween(text, 'x', table(['a'], [['1']]));
    expect(made).toBe('before\n<!-- x:begin -->\n\n| a |\n|---|\n| 1 |\n\n<!-- x:end -->\nafter\n');
    expect(replaceBetween(made, 'x', table(['a'], [['1']]))).toBe(made);
  });

  it('refuses a page without the comments', () => {
    expect(() => replaceBetween('text', 'x', '')).toThrow('expected <!-- x:begin --> and <!-- x:end -->');
  });
});
