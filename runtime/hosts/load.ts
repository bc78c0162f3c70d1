import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { WarrenError } from '../base/errors.ts';
import { eventFor, readsUnencoded } from '../base/unencoded.ts';
import { readMappings } from '../event-source/mapping.ts';
import type { LambdaHandler } from '../resources/lambda.ts';
import { hasFile } from '../settings/secret-files.ts';
import { checkEnvironment } from './environment.ts';
import { type Handler, type InProcess, inProcess } from './in-process.ts';
import type { Manifest } from './manifest.ts';

export interface ProcessHost {
  manifest: Manifest;
  /** The folder that handlers' paths start from. */
  folder: string;
  /** The environment of the functions; the manifest fills in variables that are not set. */
  env: NodeJS.ProcessEnv;
  /** Provides functions that are called elsewhere, by name; default they are called in this process. */
  elsewhere?: ((names: readonly string[]) => Map<string, LocalFunction>) | undefined;
}

/** A function of a manifest, to be called in this process. */
export interface LocalFunction {
  /** Calls it, as `inProcess`. */
  call: InProcess<unknown>;
  /**
   * Imports the module now and not at the first call, and runs the function's own check. Throws WarrenError ERR_CONFIG if the module
   * exports no such function, or one with a callback, and what the check throws.
   */
  load(): Promise<Handler>;
}

/**
 * Prepares functions of a manifest for calls, by name.
 *
 * @param failing fails the calls in flight when it aborts.
 * @throws WarrenError ERR_CONFIG if there is no file for a handler, or if the functions need different values of one variable.
 */
export function localFunctions(
  host: ProcessHost,
  names: readonly string[],
  failing?: AbortSignal,
): Map<string, LocalFunction> {
  if (host.elsewhere) return host.elsewhere(names);
  const unique = [...new Set(names)];
  checkEnvironment(host.manifest, unique, host.env);
  return new Map(unique.map((name) => [name, localFunction(host, name, failing)]));
}

function localFunction(
  { manifest, folder, env }: ProcessHost,
  name: string,
  failing: AbortSignal | undefined,
): LocalFunction {
  const { handler: path = '', timeout = 6, environment = {} } = manifest.functions[name] ?? {};
  const found = handlerFile(folder, name, path);
  const load = async () => {
    for (const [variable, value] of Object.entries(environment)) {
      // The process's own settings take precedence, also those in a file.
      if (!hasFile(env, variable)) env[variable] ||= value;
    }
    return importHandler(found, env, name);
  };
  return {
    call: inProcess({ functionName: name, load, timeoutMs: timeout * 1000, failing }),
    async load() {
      const handler = await load();
      const { check } = handler as Partial<LambdaHandler<unknown[], unknown>>;
      await check?.(queuesOf(manifest, name));
      return handler;
    },
  };
}

/** The queues that feed a function. */
function queuesOf({ functions }: Manifest, name: string): string[] {
  const definition = functions[name];
  return definition ? readMappings({ [name]: definition }).map(({ queue }) => queue) : [];
}

function handlerFile(folder: string, name: string, handler: string): [string, string] {
  const [, path = '', exported = ''] = /^(.+)\.([^./]+)$/.exec(handler) ?? [];
  const base = join(resolve(folder), path);
  // Bundles first: a container has nothing else.
  const file = ['.mjs', '.js', '.cjs', '.ts'].map((extension) => base + extension).find(existsSync);
  if (!file) {
    throw new WarrenError('ERR_CONFIG', `functions.${name}: no file for its handler "${handler}"`);
  }
  return [file, exported];
}

async function importHandler(
  [file, exported]: [string, string],
  env: NodeJS.ProcessEnv,
  functionName: string,
): Promise<Handler> {
  // Before the import: a module that is loaded without it has positions in its bundle.
  process.setSourceMapsEnabled(true);
  const module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  const handler = module[exported];
  if (typeof handler !== 'function') {
    throw new WarrenError(
      'ERR_CONFIG',
      `functions.${functionName}: ${file} exports no function "${exported}"`,
    );
  }
  // A call ends with the promise that the handler returns. Without one, a message would be acknowledged before its work is done.
  if (handler.length >= 3) {
    throw new WarrenError(
      'ERR_CONFIG',
      `functions.${functionName}: ${file}: "${exported}" takes ${handler.length} parameters, as a handler with a callback does, ` +
        'and nothing would wait for the callback: make it an async function of event and context',
    );
  }
  // Functions read it when they open their resources, as on Lambda. There, each has its own process.
  const named =
    <Args extends unknown[], Reply>(run: (...args: Args) => Reply) =>
    (...args: Args): Reply => {
      // Only if it changes, because a write goes to the operating system.
      if (env['AWS_LAMBDA_FUNCTION_NAME'] !== functionName) env['AWS_LAMBDA_FUNCTION_NAME'] = functionName;
      return run(...args);
    };
  const { check, maxBytes } = handler as Partial<LambdaHandler<unknown[], unknown>>;
  // A function that reads messages without AWS's event gets them through this wrapper too.
  const call = named((...args: Parameters<Handler>) => {
    const [event, ...rest] = args;
    return (handler as Handler)(eventFor(handler, event), ...rest);
  });
  return Object.assign(readsUnencoded(call), { maxBytes, check: check && named(check) });
}
