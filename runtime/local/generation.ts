import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import { ProblemsError } from '../base/problems.ts';
import type { Mapping } from '../event-source/mapping.ts';
import { chooseMappings } from '../hosts/chosen-mappings.ts';
import type { Host, StopOptions } from '../hosts/host.ts';
import { HttpHost } from '../hosts/http/host.ts';
import { type Route, readRoutes } from '../hosts/http/routes.ts';
import type { ProcessProgram } from '../hosts/isolation/program.ts';
import type { Manifest } from '../hosts/manifest.ts';
import { readSchedules, type Scheduled } from '../hosts/rates.ts';
import { Scheduler } from '../hosts/schedule.ts';
import { Worker } from '../hosts/worker.ts';
import type { Topology } from '../topology/compile.ts';
import { serviceTopology, toService } from '../topology/service-file.ts';
import { withPlaces } from '../topology/yaml-places.ts';
import { Code } from './code.ts';
import { checkPorts, type InspectOptions, inspectPorts, withPauses } from './inspection.ts';
import { type CallReport, LazyFunctions } from './lazy-functions.ts';

export interface GenerationOptions {
  root: string;
  manifest: Manifest;
  url: string;
  log: Log;
  /** Port of the routes; 0 for any. */
  port: number;
  /** How to start the process of a function. */
  program: ProcessProgram;
  report: CallReport;
  /** Which functions a debugger can attach to, default none. */
  inspect?: InspectOptions | undefined;
}

/** The hosts of one state of serverless.yml. Its code outlives them: close it when they are stopped for good. */
export class Generation {
  readonly code: Code;
  readonly functions: LazyFunctions;
  readonly mappings: readonly Mapping[];
  readonly routes: readonly Route[];
  readonly schedules: readonly Scheduled[];
  /** Ports for a debugger, by function. */
  readonly inspectPorts: ReadonlyMap<string, number>;
  readonly manifest: Manifest;
  readonly #options: GenerationOptions;
  readonly #files: ReadonlyMap<string, string>;
  readonly #worker: Worker | undefined;
  readonly #http: HttpHost | undefined;
  readonly #scheduler: Scheduler | undefined;

  /**
   * @param former whose code it runs, default code of its own that is not built yet.
   * @throws WarrenError ERR_CONFIG for a handler without a file, and as the hosts and `inspectPorts`.
   */
  constructor(options: GenerationOptions, former?: Generation) {
    const { root, url, log, port, program, report, inspect } = options;
    const { env } = program;
    this.#options = options;
    this.manifest = options.manifest;
    this.inspectPorts = inspectPorts(options.manifest, inspect);
    const manifest = withPauses(options.manifest, this.inspectPorts);
    this.#files = former ? former.#files : filesOf(root, manifest);
    const files = [...new Set(this.#files.values())];
    this.code = former?.code ?? new Code({ root, outdir: join(codeFolder(root), randomUUID()), files });
    this.mappings = chooseMappings(manifest, undefined);
    this.routes = readRoutes(manifest.functions);
    this.schedules = readSchedules(manifest.functions);
    const { mappings } = this;
    const host = { manifest, folder: this.code.folder, log };
    this.functions = new LazyFunctions({
      ...host,
      ...program,
      mappings,
      report,
      inspectPorts: this.inspectPorts,
      observer: {},
      blockedMs: 10_000,
    });
    const elsewhere = (names: readonly string[]) => this.functions.local(names);
    // The worker must not end the functions when its queues are idle: requests and schedules call them too.
    const shared = { start: async () => undefined, stop: async () => undefined };
    const caller = { ...shared, invoke: (mapping: Mapping) => this.functions.invoke(mapping) };
    if (mappings.length > 0) this.#worker = new Worker({ ...host, url, env, caller });
    if (this.routes.length > 0)
      this.#http = new HttpHost({ ...host, env, host: '127.0.0.1', port, elsewhere });
    if (this.schedules.length > 0)
      this.#scheduler = new Scheduler({ ...host, env, elsewhere, apartMs: firstCallsApartMs });
  }

  /** Port of the routes; undefined if there are none. */
  get port(): number | undefined {
    return this.#http?.port;
  }

  async start(): Promise<void> {
    await checkPorts(this.inspectPorts);
    await this.functions.start();
    for (const host of this.#hosts()) await host.start();
  }

  /** Takes no more calls, and resolves when those in flight have ended, with whether they did before the deadline. */
  async stop(options?: StopOptions): Promise<boolean> {
    const done = await Promise.all(this.#hosts().map((host) => host.stop(options)));
    await this.functions.stop();
    return done.every(Boolean);
  }

  /** The same hosts anew, with the code of this generation: a host that was stopped cannot start again. */
  again(): Generation {
    return new Generation(this.#options, this);
  }

  /** The functions whose handlers are in these files. */
  functionsOf(files: readonly string[]): string[] {
    return [...this.#files].filter(([, file]) => files.includes(file)).map(([name]) => name);
  }

  #hosts(): Host[] {
    return [this.#http, this.#worker, this.#scheduler].filter((host) => host !== undefined);
  }
}

/**
 * Reads serverless.yml for the next generation of hosts.
 *
 * @throws as `readManifest` and the constructor, ERR_TOPOLOGY if it is inconsistent; with file and line if they are known.
 */
export async function readGeneration(
  readManifest: () => Promise<Manifest>,
  options: Omit<GenerationOptions, 'manifest'>,
): Promise<{ topology: Topology; next: Generation }> {
  return withPlaces(join(options.root, 'serverless.yml'), async () => {
    const manifest = await readManifest();
    const topology = serviceTopology(toService(manifest));
    return { topology, next: new Generation({ ...options, manifest }) };
  });
}

/** Holds the bundles of each generation in a folder of their own: the old ones are in use until the new ones run. */
export const codeFolder = (root: string): string => join(root, '.warren', 'code');

/** About the time in which the process of a function loads: a request at the start has another core for its own. */
const firstCallsApartMs = 500;

const extensions = ['.ts', '.mts', '.tsx', '.js', '.mjs', '.jsx'];

const filesOf = (root: string, { functions }: Manifest) =>
  new Map(Object.entries(functions).map(([name, { handler }]) => [name, sourceOf(root, name, handler)]));

function sourceOf(root: string, name: string, handler: string): string {
  const path = handler.replace(/\.[^./]+$/, '').replace(/^\.\//, '');
  const found = extensions.map((extension) => path + extension).find((file) => existsSync(join(root, file)));
  if (found) return found;
  const text = `functions.${name}: no file for its handler "${handler}"`;
  throw new ProblemsError('ERR_CONFIG', [{ path: ['functions', name, 'handler'], text }]);
}
