import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { WarrenError } from '../base/errors.ts';
import type { Topology } from '../topology/compile.ts';
import { readService, type Service, serviceTopology, toService } from '../topology/service-file.ts';
import { withPlaces } from '../topology/yaml-places.ts';
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
export async function selectedService(options: ServiceOptions): Promise<Service> {
  return placed(options, () => readSelected(options));
}

/** The topology of `selectedService`; also throws ERR_TOPOLOGY if it is inconsistent. */
export async function selectedTopology(
  options: ServiceOptions,
): Promise<{ service: Service; topology: Topology }> {
  return placed(options, async () => {
    const service = await readSelected(options);
    return { service, topology: serviceTopology(service) };
  });
}

/** Adds file and line to problems of a serverless.yml; a manifest is generated. */
function placed<T>({ config, manifest }: ServiceOptions, work: () => Promise<T>): Promise<T> {
  const isManifest = config === undefined && manifest !== undefined;
  return isManifest ? work() : withPlaces(config ?? 'serverless.yml', work);
}

async function readSelected({ config, manifest, stage }: ServiceOptions): Promise<Service> {
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
