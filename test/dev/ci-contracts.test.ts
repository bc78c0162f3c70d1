import { execFile, execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectFile } from '../../dev/stack/project.ts';

const schemas = {
  first: 'z.object({ to: z.string(), note: z.string().optional() })',
  additive: 'z.object({ to: z.string(), note: z.string().optional(), tip: z.number().optional() })',
  breaking: 'z.object({ to: z.string(), kg: z.number() })',
};

let folder: string;
/** The command of the step in the workflow. */
let command: string;
/** The commit whose document has the first schema, and the one before, which has no document. */
let first: string;
let before: string;

const git = (...args: string[]) => {
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.com'];
  return execFileSync('git', [...identity, ...args], { cwd: folder, encoding: 'utf8' }).trim();
};
const commit = (text: string) => {
  git('add', '--all');
  git('commit', '--quiet', '--message', text);
  return git('rev-parse', 'HEAD');
};
const writeContract = (schema: string) =>
  writeFile(
    join(folder, 'contracts.mjs'),
    `import { defineMessage } from 'warren/functions';
     import { z } from 'zod';
     export const parcelOrdered = defineMessage({
       name: 'parcel-ordered', exchange: 'parcels', key: 'ordered', schema: ${schema},
     });`,
  );

/** Runs the step as the workflow does for a change of a commit. */
const check = async (base: string) => {
  const options = { cwd: folder, env: { ...process.env, BASE: base } };
  const run = promisify(execFile)('bash', ['-e', '-o', 'pipefail', '-c', command], options);
  return run.then(
    ({ stdout }) => ({ code: 0, out: stdout }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => {
      return { code, out: stdout, err: stderr };
    },
  );
};

beforeAll(async () => {
  const { jobs } = parse(await readFile(projectFile('.github/workflows/ci.yml'), 'utf8'));
  const steps = jobs.lint.steps as { name?: string; run?: string }[];
  command = steps.find(({ name }) => name === 'contracts break no client')?.run ?? 'exit 9';
  // Inside the project, so that the contracts find their packages.
  await mkdir(projectFile('.data'), { recursive: true });
  folder = await mkdtemp(projectFile('.data/ci-contracts-'));
  await mkdir(join(folder, '.ci'));
  await copyFile(projectFile('.ci/contracts'), join(folder, '.ci/contracts'));
  const scripts = { warren: `node ${projectFile('runtime/cli/warren.cjs')}` };
  await writeFile(join(folder, 'package.json'), JSON.stringify({ version: '1.0.0', scripts }));
  await writeFile(
    join(folder, 'serverless.yml'),
    `service: parcels
provider: { name: aws }
custom:
  warren:
    contracts: [contracts.mjs]
    exchanges: { parcels: { type: direct } }
    queues: { send: { bindings: [{ exchange: parcels, routingKey: ordered }] } }
`,
  );
  await writeContract(schemas.first);
  git('init', '--quiet');
  before = commit('Add the contract');
  const { out } = await check(before);
  expect(out).toBe(`contracts: ${before} has no asyncapi.json to compare with\n`);
  const described = execFileSync('npm', ['run', '--silent', 'warren', '--', 'asyncapi'], { cwd: folder });
  await writeFile(join(folder, 'asyncapi.json'), described);
  first = commit('Describe the contract');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the step of CI that compares the contracts', () => {
  it('CI: an additive change of a contract passes', async () => {
    await writeContract(schemas.additive);
    expect(await check(first)).toEqual({ code: 0, out: 'no breaking change\n' });
  });

  it('CI: a breaking change fails, with what broke for whom, also if the committed document has it already', async () => {
    await writeContract(schemas.breaking);
    const described = execFileSync('npm', ['run', '--silent', 'warren', '--', 'asyncapi'], { cwd: folder });
    await writeFile(join(folder, 'asyncapi.json'), described);
    commit('Weigh parcels');
    expect(await check(first)).toEqual({
      code: 1,
      out: [
        'parcel-ordered: kg: is now required (breaks publishers)',
        'parcel-ordered: note: was removed (breaks consumers)',
        '2 breaking\n',
      ].join('\n'),
      err: '',
    });
  });

  it('CI: a commit that a forced push has left behind is fetched', async () => {
    await writeContract(schemas.breaking);
    const upstream = join(folder, 'upstream.git');
    git('clone', '--quiet', '--bare', '.', upstream);
    git('-C', upstream, 'config', 'uploadpack.allowAnySHA1InWant', 'true');
    const left = git('-C', upstream, 'commit-tree', '-m', 'Weigh no parcels', `${first}^{tree}`);
    git('remote', 'add', 'origin', upstream);
    expect(await check(left)).toMatchObject({ code: 1, out: expect.stringContaining('2 breaking') });
  });

  it('CI: a commit that is not in the history fails, and the first commit of a branch has none before it', async () => {
    const unknown = 'deadbeef'.repeat(5);
    expect(await check(unknown)).toMatchObject({
      code: 1,
      err: expect.stringContaining(`contracts: expected a commit of this repository, got ${unknown}`),
    });
    const out = 'contracts: there is no earlier commit to compare with\n';
    expect(await check('0'.repeat(40))).toEqual({ code: 0, out });
  });
});
