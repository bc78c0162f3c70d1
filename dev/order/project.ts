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
  /** The queues with the messages. */
  queues: readonly string[];
  remove(): Promise<void>;
}

export const exchange = 'shop';
export const queue = 'orders';
/** Seconds. */
const retryDelays = [1];

export interface ProjectOptions {
  amqpUrl: string;
  /** Whether the queue keeps the order of each customer. */
  ordered: boolean;
  /** Changes what is declared at the broker. */
  change?: ((topology: Topology) => Topology) | undefined;
}

/** Writes the project, and declares its queue. */
export async function makeProject({ amqpUrl, ordered, change }: ProjectOptions): Promise<Project> {
  const warren = {
    retryDelays,
    exchanges: { [exchange]: { type: 'topic' } },
    queues: {
      [queue]: {
        concurrency: 4,
        bindings: [{ exchange, routingKey: 'order.*' }],
        ...(ordered && { orderBy: 'header.customer', partitions: 8 }),
      },
    },
  };
  const section = readSection(warren);
  const topology = compileTopology(section);
  await applyTopology(amqpUrl, change?.(topology) ?? topology);
  const folder = await mkdtemp(join(tmpdir(), 'warren-order-'));
  const manifestFile = join(folder, 'warren.json');
  const notesFile = join(folder, 'notes');
  const virtualHost = decodeURIComponent(new URL(amqpUrl).pathname.slice(1)) || '/';
  const handle = {
    handler: 'own/handle.handler',
    timeout: 15,
    environment: { NOTES_FILE: notesFile, [policiesVariable]: policiesText(queueSettings(section)) ?? '' },
    events: [{ rabbitmq: { queue, virtualHost, batchSize: 20, maximumBatchingWindow: 0 } }],
  };
  await writeFile(notesFile, '');
  await writeFile(manifestFile, JSON.stringify({ functions: { handle }, custom: { warren } }));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await symlink(projectFile('node_modules'), join(folder, 'node_modules'));
  await symlink(projectFile('dev/order/functions'), join(folder, 'own'));
  return {
    folder,
    manifestFile,
    notesFile,
    queues: topology.queues.map(({ name }) => name).filter((name) => name.startsWith(queue)),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
