import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { WarrenError } from '../base/errors.ts';
import { readService, type Service, toService } from '../topology/service-file.ts';
import { manifestOption, readManifestFile } from './hosting.ts';
import { printService } from './manifest.ts';

/** The options of every command that reads the topology. */
export interface ServiceOptions {
  config?: string;
  manifest?: string;
  stage?: string;
}

/** Adds the options of `selectedService` to a command. */
export function addServiceOptions(command: Command): Command {
  return command
    .option(
      '-c, --config <path>',
      'path of the serverless.yml, if not the one in this folder; takes precedence over --manifest',
    )
    .addOption(manifestOption())
    .option('--stage <stage>', 'resolve variables for this stage; default that of serverless.yml');
}

/**
 * Reads the service that the options name: a manifest, or a serverless.yml, which the serverless CLI resolves if it is
 * installed in the project.
 *
 * @throws WarrenError ERR_TOPOLOGY if a name contains a variable, or the file cannot be read; ERR_CONFIG for a file that is
 *   no manifest, and with the message of the serverless CLI.
 */
export async function selectedService({ config, manifest, stage }: ServiceOptions): Promise<Service> {
  if (config === undefined && manifest !== undefined) {
    if (stage === undefined) return toService(await readManifestFile(manifest));
    const advice =
      'expected none, because the variables of a manifest are resolved; give it to `warren manifest`';
    throw new WarrenError('ERR_CONFIG', `--stage: ${advice}`);
  }
  const path = config ?? 'serverless.yml';
  const printed = existsSync(path) ? await printService(path, stage) : undefined;
  return printed === undefined ? readService(path) : toService(JSON.parse(printed));
}
