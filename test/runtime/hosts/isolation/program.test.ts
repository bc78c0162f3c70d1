import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  optionsOfNode,
  type ProcessProgram,
  startProgram,
} from '../../../../runtime/hosts/isolation/program.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-program-'));
  await writeFile(
    join(folder, 'program.mjs'),
    'process.send([...process.execArgv, ...process.argv.slice(2)]);',
  );
});
afterAll(() => rm(folder, { recursive: true }));

const started = async (options: Partial<ProcessProgram>) => {
  const file = join(folder, 'program.mjs');
  const child = startProgram({
    file,
    args: ['function-process'],
    env: { PATH: process.env['PATH'] },
    ...options,
  });
  return new Promise<string[]>((resolve) => child.once('message', (message) => resolve(message as string[])));
};

it('the process of a function has a small young generation, the given heap, and its arguments', async () => {
  const options = await started({ memoryMb: 128 });
  expect(options).toEqual(
    expect.arrayContaining(['--max-semi-space-size=4', '--max-old-space-size=128', 'function-process']),
  );
});

it('a young generation that the environment sets stays as it is', async () => {
  const NODE_OPTIONS = '--max-semi-space-size=32';
  const options = await started({ env: { PATH: process.env['PATH'], NODE_OPTIONS } });
  expect(options.filter((option) => option.includes('semi'))).toEqual([]);
});

it('code on the command line does not run again in the process of a function', () => {
  const kept = ['--import', 'tsx', '--enable-source-maps'];
  expect(optionsOfNode([...kept, '--input-type=module', '--eval', 'fork()', '--inspect=9229'])).toEqual(kept);
  expect(optionsOfNode([...kept, '-p', 'fork()'])).toEqual(kept);
  expect(optionsOfNode([...kept, '--eval=fork()'])).toEqual(kept);
});
