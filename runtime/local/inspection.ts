import { WarrenError } from '../base/errors.ts';
import type { Manifest } from '../hosts/manifest.ts';
import { isFree } from './free-port.ts';

/** Which functions a debugger can attach to. */
export interface InspectOptions {
  /** Port of the first function; each further one has the next port. */
  port: number;
  /** Keys of functions, default all. */
  functions?: readonly string[] | undefined;
}

/** Seconds of a call that a debugger may pause: below the limit from which `checkTimeouts` refuses a timeout. */
const pausedSeconds = 890;

/**
 * The port of each function that a debugger can attach to, by name; none without options.
 *
 * @throws WarrenError ERR_CONFIG for a function that does not exist.
 */
export function inspectPorts(
  { functions }: Pick<Manifest, 'functions'>,
  options: InspectOptions | undefined,
): Map<string, number> {
  if (!options) return new Map();
  const names = options.functions ?? Object.keys(functions);
  const unknown = names.find((name) => !Object.hasOwn(functions, name));
  if (unknown !== undefined) {
    throw new WarrenError('ERR_CONFIG', `--inspect: there is no function "${unknown}" with an event`);
  }
  return new Map(names.map((name, index) => [name, options.port + index]));
}

/** The manifest with time for a debugger. */
export function withPauses(manifest: Manifest, ports: ReadonlyMap<string, number>): Manifest {
  const entries = Object.entries(manifest.functions).map(([name, definition]) => {
    const timeout = ports.has(name) ? pausedSeconds : definition.timeout;
    return [name, { ...definition, timeout }] as const;
  });
  return { ...manifest, functions: Object.fromEntries(entries) };
}

/** @throws WarrenError ERR_PORT_TAKEN that names the first port that another program has. */
export async function checkPorts(ports: ReadonlyMap<string, number>): Promise<void> {
  for (const [name, port] of ports) {
    if (await isFree(port)) continue;
    const advice = 'choose another one with --inspect-port';
    throw new WarrenError('ERR_PORT_TAKEN', `--inspect: port ${port} for ${name} is taken; ${advice}`);
  }
}
