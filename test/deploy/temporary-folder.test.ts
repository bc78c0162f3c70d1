import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { projectDir, projectFile } from '../../dev/stack/project.ts';

/** Packages like serverless-esbuild, which leaves files behind, and prints its process id. */
const program = `
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { useOwnTemporaryFolder } from ${JSON.stringify(projectFile('deploy/temporary-folder.ts'))};
useOwnTemporaryFolder();
mkdirSync(tmpdir() + '/add-friend-1');
writeFileSync(tmpdir() + '/add-friend-1/add-friend.mjs', '');
process.stdout.write(String(process.pid));
if (process.env.KILLED) process.kill(process.pid, 'SIGKILL');
`;

describe('the temporary files of serverless package', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'warren-temporary-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const run = (env: Record<string, string> = {}) => {
    const args = ['--import', 'tsx', '--input-type=module', '-e', program];
    return execFileSync(process.execPath, args, {
      cwd: projectDir,
      env: { ...process.env, TMPDIR: folder, ...env },
      encoding: 'utf8',
    });
  };
  /** What is left, without the cache of the TypeScript loader. */
  const left = () => readdirSync(folder).filter((name) => !name.startsWith('tsx-'));

  it('are removed when the command ends', () => {
    run();
    expect(left()).toEqual([]);
  });

  it('of a killed command are removed by the next one, and those of a running command are not', () => {
    expect(() => run({ KILLED: 'true' })).toThrow();
    expect(left()).toEqual([expect.stringMatching(/^warren-package-\d+$/)]);
    const running = `warren-package-${process.pid}`;
    mkdirSync(join(folder, running));
    writeFileSync(join(folder, running, 'used'), '');
    run();
    expect(left()).toEqual([running]);
  });
});
