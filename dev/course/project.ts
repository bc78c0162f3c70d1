import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { policiesText, policiesVariable } from '../../runtime/messages/policies.ts';
import { applyTopology } from '../../runtime/topology/apply.ts';
import { compileTopology, type Topology } from '../../runtime/topology/compile.ts';
import { queueSettings } from '../../runtime/topology/queue-settings.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { projectFile } from '../stack/project.ts';

/** A folder with the function of a course and its manifest. */
export interface Project {
  folder: string;
  manifestFile: string;
  /** The file to which the function writes what it does. */
  notesFile: string;
  /** What is declared, without the change. */
  topology: Topology;
  remove(): Promise<void>;
}

export interface ProjectOptions {
  amqpUrl: string;
  /** Name of the course, whose function is in `dev/<course>/functions`. */
  course: string;
  /** Name of the function and of its file. */
  name: string;
  /** The queue that feeds it. */
  queue: string;
  batchSize: number;
  /** `custom.warren`. */
  warren: object;
  /** Changes what is declared at the broker. */
  change?: ((topology: Topology) => Topology) | undefined;
}

/** Writes the project, and declares its queue. */
export async function makeProject(options: ProjectOptions): Promise<Project> {
  const { amqpUrl, course, name, queue, batchSize, warren, change } = options;
  const section = readSection(warren);
  const topology = compileTopology(section);
  await applyTopology(amqpUrl, change?.(topology) ?? topology);
  const folder = await mkdtemp(join(tmpdir(), `warren-${course}-`));
  const manifestFile = join(folder, 'warren.json');
  const notesFile = join(folder, 'notes');
  const virtualHost = decodeURIComponent(new URL(amqpUrl).pathname.slice(1)) || '/';
  const definition = {
    handler: `own/${name}.handler`,
    timeout: 15,
    environment: { NOTES_FILE: notesFile, [policiesVariable]: policiesText(queueSettings(section)) ?? '' },
    events: [{ rabbitmq: { queue, virtualHost, batchSize, maximumBatchingWindow: 0 } }],
  };
  await writeFile(notesFile, '');
  await writeFile(manifestFile, JSON.stringify({ functions: { [name]: definition }, custom: { warren } }));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await symlink(projectFile('node_modules'), join(folder, 'node_modules'));
  await symlink(projectFile(`dev/${course}/functions`), join(folder, 'own'));
  return {
    folder,
    manifestFile,
    notesFile,
    topology,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
