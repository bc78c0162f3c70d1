import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readStackEnv } from '../../../dev/stack/read-stack-env.ts';
import { type StackEnv, stackEnvNames, writeStackEnv } from '../../../dev/stack/stack-env.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stack-env-'));
});
afterAll(() => rm(folder, { recursive: true }));

it.each([
  '',
  'amqp://u:p%23@host:1/%2F?a=b&c=d',
  'a#b',
  ' a b ',
  '"quoted"',
  "it's",
  `it's "so"`,
  'a=b$C\\d',
])('stack.env: the value %j is read back as it was written', async (value) => {
  const env = Object.fromEntries(stackEnvNames.map((name) => [name, value])) as StackEnv;
  await writeStackEnv(folder, env);
  expect(readStackEnv(folder)).toEqual(env);
});

it('stack.env: a value that no quotes can contain is refused and not shown', async () => {
  const env = Object.fromEntries(stackEnvNames.map((name) => [name, `s3cr3t'"\``])) as StackEnv;
  await expect(writeStackEnv(folder, env)).rejects.toThrow(/^a key of the stack contains/);
});
