import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { WarrenError } from '../base/errors.ts';
import { toManifest } from '../hosts/manifest.ts';
import { withPlaces } from '../topology/yaml-places.ts';

/**
 * Returns the manifest of the serverless.yml in a folder as JSON. The serverless CLI reads the file, because only the
 * CLI resolves all its variables.
 *
 * @param stage default that of serverless.yml.
 * @param folder of serverless.yml, default the current one.
 * @param variables further environment variables for the CLI.
 * @throws WarrenError ERR_CONFIG with the message of the CLI, or if the CLI is not installed.
 */
export async function printManifest(
  stage?: string,
  folder = process.cwd(),
  variables: Readonly<Record<string, string>> = {},
): Promise<string> {
  const cli = findServerless(folder);
  if (cli === undefined) {
    throw new WarrenError('ERR_CONFIG', 'the serverless CLI is not installed here: use --manifest');
  }
  const printed = await runPrint(cli, folder, stageArguments(stage), variables);
  const file = join(folder, 'serverless.yml');
  return JSON.stringify(await withPlaces(file, () => toManifest(printed)), null, 2);
}

/**
 * Returns a serverless.yml as JSON, as the serverless CLI resolves it; undefined if the CLI is not installed in the folder.
 *
 * @throws WarrenError ERR_CONFIG with the message of the CLI.
 */
export async function printService(path: string, stage?: string): Promise<string | undefined> {
  const file = resolve(path);
  const folder = dirname(file);
  const cli = findServerless(folder);
  // The CLI accepts only a file in its current folder.
  return cli && runPrint(cli, folder, ['--config', basename(file), ...stageArguments(stage)]);
}

const stageArguments = (stage: string | undefined) => (stage === undefined ? [] : ['--stage', stage]);

async function runPrint(
  cli: string,
  cwd: string,
  further: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<string> {
  const env = { ...process.env, ...variables, SLS_TELEMETRY_DISABLED: '1', SLS_NOTIFICATIONS_MODE: 'off' };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [cli, 'print', '--format', 'json', ...further],
    { cwd, env, maxBuffer: 50_000_000 },
  ).catch((cause: Error & { stdout?: string; stderr?: string }) => {
    const text = `${cause.stderr ?? ''}${cause.stdout ?? ''}`.trim();
    throw new WarrenError('ERR_CONFIG', `serverless print failed: ${text || cause.message}`, { cause });
  });
  return stdout;
}

function findServerless(folder: string): string | undefined {
  try {
    return createRequire(resolve(folder, 'package.json')).resolve('serverless/bin/serverless.js');
  } catch {
    return undefined;
  }
}
