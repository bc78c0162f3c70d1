import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectFile } from '../../../dev/stack/project.ts';

const run = promisify(execFile);

/**
 * A Python that has what requirements.txt names (moto's server, cfn-lint), in an environment of its own that is kept in the
 * project's data. Made at the first run, and anew when what is required changes.
 *
 * @throws Error that names the missing packages if there is no Python.
 */
export async function pythonWithTools(): Promise<string> {
  const requirements = projectFile('test/support/deploy/requirements.txt');
  const version = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 8);
  const folder = projectFile(`.data/python-${version}`);
  const python = join(folder, 'bin', 'python');
  if (existsSync(python)) return python;
  await mkdir(projectFile('.data'), { recursive: true });
  console.log(`making a Python environment with moto and cfn-lint in ${folder}: takes a minute or two`);
  const making = `${folder}.${process.pid}`;
  try {
    await run('python3', ['-m', 'venv', making]).catch((cause: Error) => {
      throw new Error('these tests need python3 with its venv module: apt-get install python3-venv', {
        cause,
      });
    });
    const install = ['-m', 'pip', 'install', '--quiet', '--requirement', requirements];
    await run(join(making, 'bin', 'python'), install).catch((cause: Error) => {
      throw new Error('these tests need a package index for Python, for moto and cfn-lint', { cause });
    });
    await rename(making, folder);
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  return python;
}
