import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { WarrenError } from '../base/errors.ts';
import { createLog, type Log } from '../base/log.ts';
import type { Host } from '../hosts/host.ts';
import type { ProcessHost } from '../hosts/load.ts';
import { type Manifest, readManifest } from '../hosts/manifest.ts';
import { probesPort } from '../hosts/probes.ts';
import { environment } from './context.ts';
import { onSignal } from './signals.ts';

/** The options of every command that calls functions in its process. */
export interface HostingOptions {
  manifest?: string;
  host: string;
  drain: number;
}

export const manifestOption = (): Option =>
  new Option(
    '-m, --manifest <file>',
    'what `warren manifest` wrote; default serverless.yml, read by serverless',
  ).env('WARREN_MANIFEST');

export const hostOption = (what: string): Option =>
  new Option('--host <address>', `address of ${what}`).default('127.0.0.1').env('WARREN_HOST');

/** @param what whose port it is. */
export const probesPortOption = (flags: string, what: string): Option =>
  new Option(flags, `${what}; 0 for any, default ${probesPort} or the next free one`).argParser(
    wholeNumber(0, 65_535),
  );

export const drainOption = (what: string): Option =>
  new Option('-d, --drain <seconds>', `how long ${what} in flight may take after SIGTERM`)
    .argParser(wholeNumber(0, 86_400))
    .default(30);

/** The log of a host. */
export function hostLog(name: string): Log {
  return createLog({ LOG_LEVEL: process.env['LOG_LEVEL'] || 'info', host: name });
}

/**
 * Reads the manifest that the options name, and gives the functions this process's environment.
 *
 * @throws WarrenError ERR_CONFIG if the file cannot be read, or is no manifest.
 */
export async function processHost({ manifest: file }: { manifest?: string }): Promise<ProcessHost> {
  // Handlers read the environment itself.
  Object.assign(process.env, environment());
  const manifest = file === undefined ? await printedManifest() : await readManifestFile(file);
  const folder = file === undefined ? '.' : dirname(resolve(file));
  return { manifest, folder, env: process.env };
}

/** A host in production has a manifest, and needs neither the serverless CLI nor a parser of YAML. */
async function printedManifest(): Promise<Manifest> {
  const { printManifest } = await import('./manifest.ts');
  return readManifest(await printManifest());
}

/**
 * Stops what is started between this call and a signal, or an error that nothing has caught: the state that it leaves behind is
 * unknown. Call it before anything is started: the first process of a container gets no signal that it does not listen for.
 *
 * @param onEnd is called at the signal or error, such as to call off a start.
 * @returns a function that waits for either, stops the host and ends the process: with 0 if all calls ended in time and there
 *   was no such error, else with 1. A second signal ends the process at once.
 */
export function untilSignal(log: Log, drainSeconds: number, onEnd: () => void = () => undefined) {
  const over = new Promise<{ signal: NodeJS.Signals } | { error: unknown }>((end) => {
    onSignal((signal) => end({ signal }));
    // Also of rejections, if nothing listens for those.
    process.on('uncaughtException', (error) => {
      log.error({ err: error }, 'an error was not caught, ending in order');
      end({ error });
    });
  });
  void over.then(onEnd);
  return async (host: Host, left: string): Promise<never> => {
    const reason = await over;
    if ('error' in reason) host.fail?.(reason.error);
    else log.info({ signal: reason.signal, drainSeconds }, 'draining');
    const done = await host.stop({ deadlineMs: drainSeconds * 1000 });
    log[done ? 'info' : 'warn'](done ? 'all was done' : `time is up; ${left}`);
    // A function keeps its connections for its next call, and there is none.
    process.exit(done && !('error' in reason) ? 0 : 1);
  };
}

/** @throws WarrenError ERR_CONFIG if the file cannot be read, or is no manifest. */
export async function readManifestFile(file: string): Promise<Manifest> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new WarrenError('ERR_CONFIG', `${file}: can't be read (${cause.code})`, { cause });
  });
  return readManifest(text);
}

/** Makes a parser for an option. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`);
  };
}

/** Makes a parser for a number of processes. */
export function processCount(least: number): (text: string) => number | 'auto' {
  const parse = wholeNumber(least, 256);
  return (text) => {
    if (text === 'auto') return text;
    try {
      return parse(text);
    } catch {
      throw new InvalidArgumentError(`expected a whole number from ${least} to 256, or auto`);
    }
  };
}
