import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { policiesText, policiesVariable } from '../../runtime/messages/policies.ts';
import { applyTopology } from '../../runtime/topology/apply.ts';
import { compileTopology, type Topology } from '../../runtime/topology/compile.ts';
import { queueSettings } from '../../runtime/topology/queue-settings.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { projectFile } from '../stack/project.ts';

/** A folder with the course's function and its manifest. */
export interface Project {
  folder: string;
  manifestFile: string;
  notesFile: string;
  /** What is declared, without the change. */
  topology: Topology;
  remove(): Promise<void>;
}

export const queue = 'texts';

export interface ProjectOptions {
  amqpUrl: string;
  /** Of the queue, such as its limit. */
  settings: object;
  /** Changes what is declared at the broker. */
  change?: ((topology: Topology) => Topology) | undefined;
}

/** Writes the project, and declares its queue. */
export async function makeProject({ amqpUrl, settings, change }: ProjectOptions): Promise<Project> {
  const warren = { retryDelays: [1], queues: { [queue]: settings } };
  const section = readSection(warren);
  const topology = compileTopology(section);
  await applyTopology(amqpUrl, change?.(topology) ?? topology);
  const folder = await mkdtemp(join(tmpdir(), 'warren-limits-'));
  const manifestFile = join(folder, 'warren.json');
  const notesFile = join(folder, 'notes');
  const virtualHost = decodeURIComponent(new URL(amqpUrl).pathname.slice(1)) || '/';
  const send = {
    handler: 'own/send.handler',
    timeout: 15,
    environment: { NOTES_FILE: notesFile, [policiesVariable]: policiesText(queueSettings(section)) ?? '' },
    events: [{ rabbitmq: { queue, virtualHost, batchSize: 5, maximumBatchingWindow: 0 } }],
  };
  await writeFile(notesFile, '');
  await writeFile(manifestFile, JSON.stringify({ functions: { send }, custom: { warren } }));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await symlink(projectFile('node_modules'), join(folder, 'node_modules'));
  await symlink(projectFile('dev/limits/functions'), join(folder, 'own'));
  return {
    folder,
    manifestFile,
    notesFile,
    topology,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
