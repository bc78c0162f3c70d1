import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { WarrenError } from '../base/errors.ts';
import { toManifest } from '../hosts/manifest.ts';

/**
 * Returns the manifest of the serverless.yml in this folder as JSON. The serverless CLI reads the file, because only the
 * CLI resolves all its variables.
 *
 * @throws WarrenError ERR_CONFIG with the message of the CLI, or if the CLI is not installed.
 */
export async function printManifest(): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [findServerless(), 'print', '--format', 'json'],
    {
      maxBuffer: 50_000_000,
      env: { ...process.env, SLS_TELEMETRY_DISABLED: '1', SLS_NOTIFICATIONS_MODE: 'off' },
    },
  ).catch((cause: Error & { stdout?: string; stderr?: string }) => {
    const text = `${cause.stderr ?? ''}${cause.stdout ?? ''}`.trim();
    throw new WarrenError('ERR_CONFIG', `serverless print failed: ${text || cause.message}`, { cause });
  });
  return JSON.stringify(toManifest(stdout), null, 2);
}

function findServerless(): string {
  try {
    return createRequire(`${process.cwd()}/package.json`).resolve('serverless/bin/serverless.js');
  } catch (cause) {
    throw new WarrenError('ERR_CONFIG', 'the serverless CLI is not installed here: use --manifest', {
      cause,
    });
  }
}
