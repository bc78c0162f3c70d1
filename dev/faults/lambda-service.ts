import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readMappings } from '../../runtime/event-source/mapping.ts';
import { type PolledMapping, writePolledMappings } from '../../runtime/hosts/long-poll.ts';
import type { Manifest } from '../../runtime/hosts/manifest.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { projectFile } from '../stack/project.ts';

/**
 * The functions that a Lambda API runs. The long poll, a worker and the plugin feed them through it. `serverless offline` runs each
 * call in flight in a thread of its own, so that functions with a high concurrency are left out.
 */
export const polled: readonly string[] = [
  'email-alert',
  'log-alert',
  'resize-picture',
  'add-points',
  'notify-friends',
  'log-upload',
  'dog-wash',
  'describe-picture',
];

export const stage = 'dev';
/** Seconds, as in serverless.yml. */
const timeout = 15;
const [arn, basicAuthArn] = [
  'arn:aws:mq:us-east-1:000000000000:broker:warren:b-00000000-0000-4000-8000-000000000000',
  'arn:aws:secretsmanager:us-east-1:000000000000:secret:faults-000000',
];

/** How the functions are bundled: as in serverless.yml, but faster. */
const esbuild = {
  bundle: true,
  format: 'esm',
  outputFileExtension: '.mjs',
  target: 'node20',
  platform: 'node',
  keepNames: true,
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  watch: { pattern: [], ignore: ['**'] },
  external: ['sharp'],
};

/** The variable of the long-poll function with all that it feeds. */
export function polledMappings({ functions, custom, service }: Manifest): string {
  const mappings = readMappings(functions, readSection(custom?.['warren']))
    .filter(({ functionName }) => polled.includes(functionName))
    .map(
      (mapping): PolledMapping => ({
        ...mapping,
        invokeAs: `${service}-${stage}-${mapping.functionName}`,
        timeoutMs: (functions[mapping.functionName]?.timeout ?? timeout) * 1000,
      }),
    );
  return writePolledMappings(mappings);
}

/** Writes a service with these functions for `serverless offline` into a folder that already has the handlers. */
export async function writeService(folder: string, { functions, custom, service }: Manifest): Promise<void> {
  const events = (all: readonly unknown[] = []) =>
    (all as { rabbitmq: object }[]).map(({ rabbitmq }) => ({ rabbitmq: { arn, basicAuthArn, ...rabbitmq } }));
  const own = polled.map((name) => [name, { ...functions[name], events: events(functions[name]?.events) }]);
  const definition = {
    service,
    frameworkVersion: '>=3',
    plugins: ['warren', 'serverless-esbuild', 'serverless-offline'],
    provider: { name: 'aws', runtime: 'nodejs24.x', region: 'us-east-1', stage, timeout },
    package: { individually: true },
    custom: {
      warren: { ...(custom?.['warren'] as object), longPoll: undefined },
      esbuild,
      'serverless-offline': { reloadHandler: false, localEnvironment: true },
    },
    functions: Object.fromEntries(own),
  };
  await writeFile(join(folder, 'serverless.json'), JSON.stringify(definition));
  // The CLI reads its plugins from the folder of the service, and the bundler what handlers import.
  for (const name of ['node_modules', 'package.json', 'tsconfig.json', 'shared', 'runtime']) {
    await symlink(projectFile(name), join(folder, name));
  }
}
