import { type Mapping, readMappings } from '../event-source/mapping.ts';
import { compileTopology, type Topology } from '../topology/compile.ts';
import { queueEvents } from '../topology/consumed-queues.ts';
import { readSection, type Section } from '../topology/schema.ts';
import type { DeployedFunction } from './package.ts';

/** A function of serverless.yml, as the plugin reads and changes it. */
export type ServiceFunction = DeployedFunction & { environment?: Record<string, unknown> };

/** The parts of the serverless CLI's object that the plugin reads. */
export interface Serverless {
  processedInput?: { commands?: string[] };
  /** Folder and name of serverless.yml. */
  serviceDir?: string;
  configurationFilename?: string;
  classes: { Error: new (message: string, code: string) => Error };
  service: {
    functions: Record<string, ServiceFunction>;
    provider: { timeout?: number; architecture?: string; environment?: Record<string, unknown> };
    custom?: Record<string, unknown>;
  };
  /** Set by a plugin whose stack declares the topology by itself. */
  pluginManager?: { plugins: readonly { topologyBy?: unknown }[] };
  getProvider(name: 'aws'): {
    naming: { getRabbitMQEventLogicalId(functionName: string, queue: string): string };
  };
}

/** `custom.warren` of a service, read and checked once for every part of the plugin. */
export interface WarrenService {
  section: Section;
  topology: Topology;
  mappings: readonly Mapping[];
}

/**
 * Reads `custom.warren` and checks it against the functions.
 *
 * @throws WarrenError ERR_TOPOLOGY or ERR_CONFIG that lists every problem.
 */
export function readWarrenService({ functions, custom }: Serverless['service']): WarrenService {
  const section = readSection(custom?.['warren']);
  const topology = compileTopology(section, queueEvents(functions));
  return { section, topology, mappings: readMappings(functions, section) };
}

/** Seconds after which a function's call ends: its own, the provider's, or Lambda's default as serverless sets it. */
export function timeoutOf({ provider, functions }: Serverless['service'], functionName: string): number {
  return functions[functionName]?.timeout ?? provider.timeout ?? 6;
}
