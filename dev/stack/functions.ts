import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import type { Part } from './context.ts';
import { functionOutput } from './function-output.ts';
import { type ChildSettings, type StackChild, startChild } from './process.ts';
import { projectDir, projectFile } from './project.ts';
import type { StackEnv } from './stack-env.ts';
import { waitUntil } from './wait.ts';

export interface FunctionsOptions {
  /** Takes all they print, default `logs/functions.log` in `.data`. */
  logFile?: string;
  /** Gets their output in a short form, line by line; default none. */
  print?: (line: string) => void;
  /** Calls the start off. */
  signal?: AbortSignal;
  spawn?: (settings: ChildSettings) => StackChild;
}

/**
 * Starts `serverless offline` on the ports of HTTP_URL and LAMBDA_URL, and waits until it answers there.
 *
 * @param env a whole stack's environment; the functions see it, and whatever else is set in ours.
 * @throws StackError when it ends while starting, or doesn't answer.
 */
export async function startFunctions(env: StackEnv, options: FunctionsOptions = {}): Promise<Part> {
  const { print, signal = new AbortController().signal, spawn = startChild } = options;
  const logFile = options.logFile ?? join(projectDir, '.data', 'logs', 'functions.log');
  await mkdir(dirname(logFile), { recursive: true });
  const [http, lambda] = [new URL(env.HTTP_URL), new URL(env.LAMBDA_URL)];
  const readable = functionOutput();
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
    env: { ...process.env, ...env, ...serverlessSettings(logFile) },
    logFile,
    onLine(line) {
      const text = readable(line);
      if (text !== undefined) print?.(text);
    },
    // Time for the calls under way, a large picture among them.
    graceMs: 60_000,
  });
  // It bundles every function first, on a busy machine for minutes; if it ends, so does the wait.
  const wait = { signal, child, hint: `see ${logFile}`, timeoutMs: 240_000 };
  const stillAtIt = setInterval(() => print?.('still at it'), 5000);
  try {
    await waitUntil('serverless offline', () => listens(lambda), wait);
    await waitUntil('serverless offline', () => healthy(http), wait);
  } catch (error) {
    await child.stop();
    throw error;
  } finally {
    clearInterval(stillAtIt);
  }
  return { env: {}, address: env.HTTP_URL, stop: () => child.stop() };
}

function serverlessSettings(logFile: string): Record<string, string> {
  const stack = createHash('sha256').update(logFile).digest('hex').slice(0, 8);
  return {
    // Folder for the bundles, which serverless.yml reads: two stacks in one clone must not delete each other's.
    WARREN_BUILD_FOLDER: `.esbuild/${stack}`,
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
