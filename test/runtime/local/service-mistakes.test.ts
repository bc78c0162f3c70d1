import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../runtime/base/log.ts';
import { readGeneration } from '../../../runtime/local/generation.ts';
import { plainManifest } from '../../../runtime/local/plain-manifest.ts';

const yml = `service: shop
provider: { name: aws }
custom:
  warren:
    exchanges:
      parcels: { type: topic }
    queues:
      parcels.sent:
        retryDelays: [1, 10]
        bindings:
          - { exchange: parcels, routingKey: 'sent.*' }
    retryDelays: [1, 60]
functions:
  send:
    handler: src/work.handler
    timeout: 10
    events:
      - httpApi: GET /parcels
      - rabbitmq:
          queue: parcels.sent
          batchSize: 10
  page:
    handler: src/work.handler
    events:
      - httpApi: GET /page
      - schedule: rate(1 minute)
`;

/** What is written in place of what, and the problem with its line and column. */
const mistakes: [written: string, of: string, problem: RegExp][] = [
  [
    '    retryDelay: [1]',
    '    retryDelays: [1, 60]',
    /:12:5: custom\.warren\.retryDelay: unknown key, expected one of source, retryDelays, /,
  ],
  [
    '        retryDelay: [1]',
    '        retryDelays: [1, 10]',
    /:9:9: custom\.warren\.queues\.parcels\.sent\.retryDelay: unknown key, expected one of .*retryDelays, /,
  ],
  [
    '{ exchange: parcels, key: a }',
    "{ exchange: parcels, routingKey: 'sent.*' }",
    /:11:34: .*bindings\.0\.key: unknown key, expected one of exchange, routingKey, arguments$/,
  ],
  [
    '{ exchange: parcel }',
    "{ exchange: parcels, routingKey: 'sent.*' }",
    /:11:13: queue "parcels\.sent" is bound to exchange "parcel", which is not declared$/,
  ],
  [
    '    retryDelays: [1, 1 minute]',
    '    retryDelays: [1, 60]',
    /:12:22: custom\.warren\.retryDelays\.1: expected number, got string$/,
  ],
  ['    retryDelays: [0, 60]', '    retryDelays: [1, 60]', /:12:19: custom\.warren\.retryDelays\.0: .*>=1$/],
  [
    '    exchanges: [parcels]',
    '    exchanges:\n      parcels: { type: topic }',
    /:5:5: custom\.warren\.exchanges: expected object, got array$/,
  ],
  [
    '{ type: topics }',
    '{ type: topic }',
    /:6:18: custom\.warren\.exchanges\.parcels\.type: expected one of "topic", /,
  ],
  [
    '          queue: parcels.send',
    '          queue: parcels.sent',
    /:20:11: functions\.send consumes queue "parcels\.send", which is not declared$/,
  ],
  [
    'batchSiz: 10',
    'batchSize: 10',
    /:21:11: functions\.send: rabbitmq: batchSiz: unknown key, expected one of .*batchSize, /,
  ],
  [
    'batchSize: ten',
    'batchSize: 10',
    /:21:11: functions\.send: rabbitmq: batchSize: expected number, got string$/,
  ],
  [
    'timeout: long',
    'timeout: 10',
    /^serverless\.yml:16:5: functions\.send\.timeout: expected number, got string$/,
  ],
  [
    'GETT /page',
    'GET /page',
    /:25:9: functions\.page: httpApi: expected "<method> <path>" such as .*, got "GETT \/page"$/,
  ],
  ['GET /parcels', 'GET /page', /:25:9: route "GET \/parcels": expected one function for it, got several$/],
  [
    'every minute',
    'rate(1 minute)',
    /:26:9: functions\.page: schedule: expected a rate such as .*, got every minute$/,
  ],
  [
    'cron(every minute)',
    'rate(1 minute)',
    /:26:9: functions\.page: schedule: expected an expression of AWS .*, got cron\(every minute\): /,
  ],
  [
    '  page:\n    handler: src/wrok.handler',
    '  page:\n    handler: src/work.handler',
    /:23:5: functions\.page: no file for its handler "src\/wrok\.handler"$/,
  ],
];

describe('a mistake in serverless.yml', () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'warren-mistakes-'));
    await mkdir(join(root, 'src'));
    await writeFile(join(root, 'src/work.ts'), 'export const handler = () => undefined;');
  });
  afterAll(() => rm(root, { recursive: true }));

  /** Reads the file as `warren dev` does. */
  const read = async (text: string) => {
    const file = join(root, 'serverless.yml');
    await writeFile(file, text);
    const program = { file: 'none', args: [], env: {} };
    const options = {
      root,
      url: 'amqp://127.0.0.1',
      log: silentLog,
      port: 0,
      program,
      report: () => undefined,
    };
    return readGeneration(() => plainManifest(file), options);
  };

  it.each(mistakes)(
    '"%s" in place of "%s" is reported with its line and what was expected',
    async (written, of, problem) => {
      expect(Object.keys((await read(yml)).next.manifest.functions)).toEqual(['send', 'page']);
      expect(yml.split(of)).toHaveLength(2);
      const error = (await read(yml.replace(of, written)).catch((caught: Error) => caught)) as Error;
      const lines = error.message.replaceAll(join(root, 'serverless.yml'), 'serverless.yml').split('\n');
      const [reported, ...others] = lines.filter((line) => line.includes('serverless.yml'));
      expect(reported?.trim().replace(/^.*(?=serverless\.yml)/, '')).toMatch(problem);
      expect(others).toEqual([]);
    },
  );
});
