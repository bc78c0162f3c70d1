#!/usr/bin/env node
// What a contract costs beyond its schema: at the publisher and in a function, in one process and without a broker. Each schema checks the
// same order. Prints microseconds a message: the median of the rounds (least to most).
//   node --import tsx dev/bench/contracts.mjs [rounds]
import { randomUUID } from 'node:crypto';
import { Ajv } from 'ajv';
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import { buildWarren, log } from './setup.mjs';
import { warren } from './shared.mjs';
import { median } from './statistics.mjs';

const rounds = Number(process.argv[2] ?? 9);
const perRound = 20_000;
const batch = 100;

buildWarren();
const { defineMessage, onMessages, silentLog } = await warren();
const { invoke, rabbitMQEvent, recordingPublisher } = await import('../../dist/package/testing.js');

const uuid = /^[\da-f]{8}-([\da-f]{4}-){3}[\da-f]{12}$/i;
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
const zod = z.object({
  order_id: z.string().regex(uuid),
  user_id: z.int().min(1),
  dog: z.string().min(1).max(100),
  at: z.string().regex(time),
  minutes: z.int().min(10).max(480),
});
const valibot = v.object({
  order_id: v.pipe(v.string(), v.regex(uuid)),
  user_id: v.pipe(v.number(), v.integer(), v.minValue(1)),
  dog: v.pipe(v.string(), v.minLength(1), v.maxLength(100)),
  at: v.pipe(v.string(), v.regex(time)),
  minutes: v.pipe(v.number(), v.integer(), v.minValue(10), v.maxValue(480)),
});
const arktype = type({
  order_id: uuid,
  user_id: 'number.integer >= 1',
  dog: '1 <= string <= 100',
  at: time,
  minutes: '10 <= number.integer <= 480',
});
const compiled = new Ajv().compile(zod['~standard'].jsonSchema.input({ target: 'draft-07' }));
/** Compiled JSON Schema. Its errors name no field, which a contract would need. */
const ajv = {
  '~standard': {
    version: 1,
    vendor: 'ajv',
    validate: (value) => (compiled(value) ? { value } : { issues: [{ message: 'wrong' }] }),
  },
};
const nothing = { '~standard': { version: 1, vendor: 'none', validate: (value) => ({ value }) } };

const body = (n) => ({
  order_id: '5f1d3c0e-6b0f-4c1c-9d57-2f1c7f0e8a11',
  user_id: n + 1,
  dog: 'Pepe',
  at: '2027-01-08T10:00:00Z',
  minutes: 30,
});
const bodies = Array.from({ length: batch }, (_, n) => body(n));
const event = rabbitMQEvent(
  bodies.map((each, n) => ({ queue: 'walks', messageId: `walk-${n}`, body: each })),
);
const publisher = recordingPublisher();
const settings = { name: 'walk-ordered', exchange: 'walks', key: 'walk' };
const handled = async () => undefined;

/** A loop over all bodies, and what it costs a message. */
const loop = (each) => async () => {
  for (const one of bodies) each(one);
};
const feed = (options) => {
  const handler = onMessages({ publisher, log: silentLog, ...options }, handled);
  return () => invoke(handler, event);
};

/** @returns for each case the microseconds of a message. */
function cases(schema) {
  const contract = defineMessage({ ...settings, schema });
  const check = schema['~standard'].validate;
  return {
    schema: loop((one) => check(one)),
    // As a program without contracts does it.
    byHand: loop((one) => {
      if (check(one).issues) throw new Error('wrong');
      return { exchange: 'walks', routingKey: 'walk', messageId: randomUUID(), body: one };
    }),
    message: loop((one) => contract.message(one)),
    withSchema: feed({ schema }),
    withContract: feed({ contract }),
  };
}

async function measure(run) {
  const begun = process.cpuUsage();
  for (let n = 0; n < perRound; n += batch) await run();
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / perRound;
}

const shown = (values) =>
  `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)}-${Math.max(...values).toFixed(2)})`;

const contestants = {
  'no check': nothing,
  Zod: zod,
  Valibot: valibot,
  ArkType: arktype,
  'Ajv, compiled': ajv,
};
const results = new Map();
for (let round = -1; round < rounds; round += 1) {
  log(round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`);
  for (const [title, schema] of Object.entries(contestants)) {
    const runs = Object.entries(cases(schema));
    for (const [name, run] of round % 2 === 0 ? runs : runs.reverse()) {
      const cost = await measure(run);
      if (round < 0) continue;
      const key = `${title}|${name}`;
      results.set(key, [...(results.get(key) ?? []), cost]);
    }
  }
}
console.log(
  '| schema | alone | publisher by hand | `message()` | function with `schema` | with `contract` |',
);
console.log('|---|---|---|---|---|---|');
for (const title of Object.keys(contestants)) {
  const numbers = ['schema', 'byHand', 'message', 'withSchema', 'withContract'];
  console.log(`| ${[title, ...numbers.map((name) => shown(results.get(`${title}|${name}`)))].join(' | ')} |`);
}
