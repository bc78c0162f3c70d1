import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import type { ChildSettings, StackChild } from '../../runtime/local/process.ts';
import { StackError } from '../../runtime/local/stack-error.ts';
import { waitUntil } from '../../runtime/local/wait.ts';
import { bundleFunctions } from './bundles.ts';
import type { Part } from './context.ts';
import { folderKey } from './folder-key.ts';
import { functionOutput } from './function-output.ts';
import { noBundler } from './no-bundler.ts';
import { projectDir, projectFile } from './project.ts';
import { functionsEnvPath, removeFunctionsEnv, type StackEnv, writeFunctionsEnv } from './stack-env.ts';

/** What runs the functions. */
export type FunctionsHost = 'dev' | 'offline';

export interface FunctionsOptions {
  /** Data folder of the stack. */
  dataDir: string;
  /** Gets their output in a short form, line by line; default none. */
  print?: (line: string) => void;
  /** Calls the start off. */
  signal: AbortSignal;
  spawn(settings: ChildSettings): StackChild;
}

/** A host of the functions that has been started beside the other parts. */
export interface Functions {
  /** Lets it call functions, and waits until it answers. Throws StackError if it ended, or does not answer. */
  join(env: StackEnv): Promise<Part>;
}

/**
 * Starts `serverless offline`, and bundles the functions. It loads itself while the other parts start, and then waits for their
 * addresses.
 *
 * @param urls its own addresses.
 * @throws StackError if the functions cannot be bundled.
 */
export async function startFunctions(
  urls: Pick<StackEnv, 'HTTP_URL' | 'LAMBDA_URL'>,
  { dataDir, print, signal, spawn }: FunctionsOptions,
): Promise<Functions> {
  const logFile = join(dataDir, 'logs', 'functions.log');
  await mkdir(dirname(logFile), { recursive: true });
  await removeFunctionsEnv(dataDir);
  const [http, lambda] = [new URL(urls.HTTP_URL), new URL(urls.LAMBDA_URL)];
  const readable = functionOutput();
  const folder = buildFolder(dataDir);
  const child = spawn({
    name: 'serverless offline',
    command: process.execPath,
    args: [
      projectFile('node_modules/serverless/bin/serverless.js'),
      'offline',
      'start',
      '--noSponsor',
      '--host',
      '127.0.0.1',
      '--httpPort',
      http.port,
      '--lambdaPort',
      lambda.port,
    ],
    cwd: projectDir,
    env: { ...process.env, ...serverlessSettings(folder), WARREN_STACK_FILE: functionsEnvPath(dataDir) },
    logFile,
    onLine(line) {
      const text = readable(line);
      if (text !== undefined) print?.(text);
    },
    // Time for the calls under way, a large picture among them.
    graceMs: 60_000,
  });
  await bundle(folder, print);
  return {
    async join(env) {
      await writeFunctionsEnv(dataDir, env);
      // If it ends, so does the wait.
      const wait = { signal, child, hint: `see ${logFile}` };
      try {
        await waitUntil('serverless offline', () => listens(lambda), wait);
        await waitUntil('serverless offline', () => healthy(http), wait);
      } catch (error) {
        await child.stop();
        throw error;
      }
      return {
        env: {},
        address: env.HTTP_URL,
        async stop() {
          await child.stop();
          await removeFunctionsEnv(dataDir);
        },
      };
    },
  };
}

async function bundle(folder: string, print: FunctionsOptions['print']): Promise<void> {
  const begun = performance.now();
  const isNew = await bundleFunctions(folder).catch((cause: Error) => {
    throw new StackError(`the functions cannot be bundled: ${cause.message}`, { cause });
  });
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  print?.(isNew ? `bundled in ${seconds} s` : `the bundles are up to date, seen in ${seconds} s`);
}

/** Two stacks in one clone must not delete each other's bundles. */
const buildFolder = (dataDir: string) => `.esbuild/${folderKey(dataDir)}`;

function serverlessSettings(folder: string): Record<string, string> {
  return {
    // Folder of the bundles, for dev/plugin.ts.
    WARREN_BUILD_FOLDER: folder,
    ...noBundler,
    // The secret is our own and was made here: the page may sign anyone in.
    WARREN_DEV_SIGN_IN: 'true',
    SLS_TELEMETRY_DISABLED: '1',
    SLS_NOTIFICATIONS_MODE: 'off',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  };
}

async function listens({ hostname, port }: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  });
}

async function healthy(url: URL): Promise<boolean> {
  const response = await fetch(new URL('/health', url), { signal: AbortSignal.timeout(20_000) });
  await response.body?.cancel();
  return response.ok;
}
