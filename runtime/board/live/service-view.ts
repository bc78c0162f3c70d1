import { parseAddresses } from '../../amqp/address.ts';
import { atBroker } from '../../event-source/event-source.ts';
import { chooseMappings } from '../../hosts/chosen-mappings.ts';
import type { Manifest } from '../../hosts/manifest.ts';
import { compileTopology, type Topology } from '../../topology/compile.ts';
import { readSection } from '../../topology/schema.ts';

/** What a manifest declares in the virtual host of the board. */
export interface ServiceView {
  topology: Topology;
  /** Names of the functions that each queue feeds. */
  functions: ReadonlyMap<string, readonly string[]>;
}

/**
 * Reads the topology and the functions of a manifest.
 *
 * @param url AMQP URL of the broker: functions that read from another virtual host are left out.
 * @throws WarrenError ERR_CONFIG or ERR_TOPOLOGY if the manifest is wrong.
 */
export function viewService(url: string, manifest: Manifest): ServiceView {
  const own = parseAddresses(url)[0]?.vhost ?? '/';
  const functions = new Map<string, string[]>();
  for (const { queue, functionName, vhost } of atBroker(url, chooseMappings(manifest, undefined))) {
    if (vhost === own) functions.set(queue, [...(functions.get(queue) ?? []), functionName]);
  }
  const topology = compileTopology(readSection(manifest.custom?.['warren']), [...functions.keys()]);
  return { topology, functions };
}
