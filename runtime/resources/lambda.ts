import { WarrenError } from '../base/errors.ts';
import { whenCalled, whenNeeded } from '../base/lazy.ts';
import { eventFor, readsUnencoded } from '../base/unencoded.ts';
import type { BodyLimited } from '../http/body-limit.ts';
import { type Settings, SettingsReader } from '../settings/read.ts';
import { logSettings } from '../settings/sections.ts';
import type { Resource } from './resource.ts';

/** Resources, by the names under which a handler gets them. */
export type Resources = Readonly<Record<string, Resource<unknown>>>;

/** The opened resources that a handler gets. */
export type Opened<Named extends Resources> = {
  [Name in keyof Named]: Named[Name] extends Resource<infer Value> ? Value : never;
};

/** A Lambda handler that declares its resources. */
export interface LambdaHandler<Args extends unknown[], Reply> {
  (...args: Args): Promise<Reply>;
  /** The resources that it opens at its first call; a test compares them with the function's entry in serverless.yml. */
  readonly resources: Resources;
  /** Bytes of a body that an HTTP function takes; hosts read it before they read a body. Default 65536 (64 KiB). */
  readonly maxBytes?: BodyLimited['maxBytes'];
  /** Called by a host before the first call, with the queues that feed the function. What it throws ends the host. */
  readonly check?: ((queues: readonly string[]) => Promise<void>) | undefined;
}

/** Options of `lambda`. */
export interface LambdaOptions<Named extends Resources> extends BodyLimited {
  /**
   * Throws if the settings do not fit the queues that feed the function. A worker calls it when it starts, and does not start if it
   * throws. On Lambda, which does not know the queues, it is not called.
   */
  readonly check?: ((deps: Opened<Named>, queues: readonly string[]) => void) | undefined;
}

/**
 * Makes a Lambda handler out of a function that takes its dependencies as an argument. At the first call it reads the
 * settings of all resources, reports every problem with them at once, opens the resources and keeps them. A first call that
 * fails leaves nothing behind: the next one tries again. Importing the module of a handler reads no environment.
 *
 * @param resources what the handler needs, by name.
 * @param createHandler makes the handler from the opened resources.
 * @param options a limit for bodies and a check of the settings; default none of both.
 */
export function lambda<Named extends Resources, Args extends unknown[], Reply>(
  resources: Named,
  createHandler: (deps: Opened<Named>) => (...args: Args) => Promise<Reply>,
  { maxBytes, check }: LambdaOptions<Named> = {},
): LambdaHandler<Args, Reply> {
  const opened = whenNeeded(() => openResources(resources));
  const handle = readsUnencoded(
    whenCalled(async () => {
      const created = createHandler(await opened());
      return (...args: Args) => created(...(args.map((each) => eventFor(created, each)) as Args));
    }),
  );
  const checkQueues = check && (async (queues: readonly string[]) => check(await opened(), queues));
  return Object.assign(handle, { resources, maxBytes, ...(checkQueues && { check: checkQueues }) });
}

/**
 * Opens resources as `lambda` does, for a program that is not a function.
 *
 * @param env the environment, default that of the process.
 * @throws WarrenError ERR_CONFIG that lists every problem with their settings; UnavailableError if a secret cannot be read
 *   now.
 */
export async function openResources<Named extends Resources>(
  resources: Named,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Opened<Named>> {
  const groups = [...new Set([logSettings, ...Object.values(resources).flatMap(({ settings }) => settings)])];
  const named = Object.fromEntries(groups.map((group, index) => [String(index), group]));
  const reader = new SettingsReader(named, env);
  const read = await reader.read();
  const values = (group: Settings) => read[String(groups.indexOf(group))];
  const reread = async (group: Settings) => (await reader.read())[String(groups.indexOf(group))];
  const name = (values(logSettings) as { AWS_LAMBDA_FUNCTION_NAME: string }).AWS_LAMBDA_FUNCTION_NAME;
  const opened = new Map<Resource<unknown>, unknown>();
  const open = (wanted: Resource<unknown>): unknown => {
    if (!opened.has(wanted)) opened.set(wanted, wanted.open(values, { name, use: useOf(wanted), reread }));
    return opened.get(wanted);
  };
  const useOf =
    (user: Resource<unknown>) =>
    <Value>(other: Resource<Value>): Value => {
      if (user.uses.includes(other)) return open(other) as Value;
      throw new WarrenError('ERR_CONFIG', 'a resource uses another one that it does not list in `uses`');
    };
  return Object.fromEntries(
    Object.entries(resources).map(([key, wanted]) => [key, open(wanted)]),
  ) as Opened<Named>;
}
