import { atBroker } from '../event-source/event-source.ts';
import { chooseMappings } from '../hosts/chosen-mappings.ts';
import { readManifestFile } from './hosting.ts';

/**
 * Returns the queues that feed functions of a manifest, with the virtual host that each is in at this broker.
 *
 * @throws WarrenError ERR_CONFIG if the manifest cannot be read.
 */
export const mappingsOf = async (url: string, manifest: string) =>
  atBroker(url, chooseMappings(await readManifestFile(manifest), undefined));
