import { build } from 'esbuild';
import { createLog } from '../../runtime/base/log.ts';
import type { Manifest } from '../../runtime/hosts/manifest.ts';
import { DevHost } from '../../runtime/local/dev-host.ts';
import { folderKey } from './folder-key.ts';
import type { Functions, FunctionsOptions } from './functions.ts';
import { keptManifest } from './kept-manifest.ts';
import { projectDir, projectFile } from './project.ts';
import type { StackEnv } from './stack-env.ts';

/**
 * Prepares the hosts of `warren dev`: the functions run new code as soon as it is saved. serverless.yml is read while the
 * other parts start.
 *
 * @param url address of the routes.
 */
export function startDevFunctions(
  { HTTP_URL: url }: Pick<StackEnv, 'HTTP_URL'>,
  { dataDir, print = () => undefined }: Pick<FunctionsOptions, 'dataDir' | 'print'>,
): Functions {
  // Built while the other parts start.
  const processes = buildFunctionProcess(dataDir);
  processes.catch(() => undefined);
  const read = () => keptManifest(dataDir);
  let first: Promise<Manifest> | undefined = read();
  // Reported by the start, which awaits it.
  first.catch(() => undefined);
  return {
    async join(env) {
      const host = new DevHost({
        root: projectDir,
        url: env.AMQP_URL,
        managementUrl: env.AMQP_MANAGEMENT_URL,
        port: Number(new URL(url).port),
        log: createLog({ LOG_LEVEL: process.env['LOG_LEVEL'] || 'warn', host: 'functions' }),
        program: { file: await processes, args: [], env: environment(env), detached: true },
        readManifest: () => {
          const manifest = first ?? read();
          first = undefined;
          return manifest;
        },
        print,
      });
      await host.start();
      return {
        env: {},
        address: url,
        // Time for the calls under way, a large picture among them.
        stop: async () => void (await host.stop({ deadlineMs: 60_000 })),
      };
    },
  };
}

/** Bundles what a function's process runs: the loader for TypeScript would take longer than the function itself. */
async function buildFunctionProcess(dataDir: string): Promise<string> {
  const outfile = projectFile(`.warren/function-process-${folderKey(dataDir)}.mjs`);
  await build({
    absWorkingDir: projectDir,
    entryPoints: ['runtime/cli/function-process.ts'],
    outfile,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Errors are logged by their class's name.
    keepNames: true,
    sourcemap: 'inline',
    logLevel: 'error',
  });
  return outfile;
}

/** Fills in what serverless.yml leaves open. */
const environment = (env: StackEnv): NodeJS.ProcessEnv => ({
  ...process.env,
  ...env,
  LOG_LEVEL: process.env['LOG_LEVEL'] || 'warn',
  // The secret is our own and was made here: the page may sign anyone in.
  WARREN_DEV_SIGN_IN: 'true',
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
});
