import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { policiesText, policiesVariable } from '../../runtime/messages/policies.ts';
import { applyTopology } from '../../runtime/topology/apply.ts';
import { compileTopology } from '../../runtime/topology/compile.ts';
import { retryQueue } from '../../runtime/topology/names.ts';
import { queueSettings } from '../../runtime/topology/queue-settings.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { projectFile } from '../stack/project.ts';

/** A user's project: the function of docs/effects.md, and the course's functions beside it. */
export interface Project {
  folder: string;
  manifestFile: string;
  /** Queues that are empty when all work is done. */
  queues: readonly string[];
  remove(): Promise<void>;
}

/** Seconds. A message whose lease another delivery has is retried after it. */
const retryDelay = 1;
const fed = { 'ship-parcel': 'orders', receive: 'shipped', remind: 'reminders' };
const handlers = {
  'ship-parcel': 'ship-parcel.handler',
  receive: 'own/receive.handler',
  remind: 'own/remind.handler',
};

/**
 * Writes the project, and declares its queues.
 *
 * @param change changes the source of the tutorial's function.
 */
export async function makeProject(
  amqpUrl: string,
  hookUrl: string,
  change: (source: string) => string = (source) => source,
): Promise<Project> {
  const queues = Object.values(fed);
  const section = readSection({
    retryDelays: [retryDelay],
    queues: Object.fromEntries(queues.map((queue) => [queue, {}])),
  });
  await applyTopology(amqpUrl, compileTopology(section));
  const folder = await mkdtemp(join(tmpdir(), 'warren-effects-'));
  const virtualHost = decodeURIComponent(new URL(amqpUrl).pathname.slice(1)) || '/';
  const policies = policiesText(queueSettings(section)) ?? '';
  const functions = Object.entries(fed).map(([name, queue]) => [
    name,
    {
      handler: handlers[name as keyof typeof handlers],
      timeout: 15,
      environment: { HOOK_URL: hookUrl, [policiesVariable]: policies },
      events: [{ rabbitmq: { queue, virtualHost, batchSize: 10 } }],
    },
  ]);
  const manifestFile = join(folder, 'warren.json');
  await writeFile(manifestFile, JSON.stringify({ functions: Object.fromEntries(functions) }));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'ship-parcel.js'), change(await tutorialFile('ship-parcel.js')));
  await symlink(projectFile('node_modules'), join(folder, 'node_modules'));
  await symlink(projectFile('dev/effects/functions'), join(folder, 'own'));
  return {
    folder,
    manifestFile,
    queues: queues.flatMap((queue) => [queue, retryQueue(queue, retryDelay)]),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A file that docs/effects.md asks its reader to write. */
async function tutorialFile(name: string): Promise<string> {
  const page = await readFile(projectFile('docs/effects.md'), 'utf8');
  const [, source] = page.split(`<!-- write ${name} -->\n\n\`\`\`js\n`);
  if (source === undefined) throw new Error(`docs/effects.md: expected a block of ${name}, found none`);
  return source.slice(0, source.indexOf('```'));
}
