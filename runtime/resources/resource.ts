import type { Settings, SettingsValues } from '../settings/read.ts';

/** The context in which a resource is opened. */
export interface ResourceContext<Values = unknown> {
  /** Name of the function that the resource is opened for: connections and log lines carry it. */
  name: string;
  /** Opens another resource, once for each function. The resource has to be listed in `uses`. */
  use<Value>(other: Resource<Value>): Value;
  /**
   * Reads the resource's settings again, for a secret that was refused because it has been rotated: files each time, secrets
   * that AWS keeps at most once a minute. Throws as `loadSettings` does.
   */
  reread(): Promise<Values>;
}

/** The context that `lambda` gives a resource of any settings. */
export interface OpenContext extends Omit<ResourceContext, 'reread'> {
  /** Reads all settings again, and returns the values of a group. */
  reread(group: Settings): Promise<unknown>;
}

/**
 * Something that a function needs and that costs time to open: a database, a publisher, a client. `lambda` opens it at the
 * function's first call and keeps it for all later calls.
 */
export interface Resource<Value> {
  /** The groups of settings that it reads, including those of the resources that it uses. */
  readonly settings: readonly Settings[];
  /** Other resources that it uses. */
  readonly uses: readonly Resource<unknown>[];
  /** Opens it; `values` has the values of a group of settings. */
  open(values: (group: Settings) => unknown, context: OpenContext): Value;
}

/** The group of a resource that reads no settings. */
type NoSettings = undefined;

type ValuesOf<Group extends Settings | NoSettings> = Group extends Settings ? SettingsValues<Group> : object;

/**
 * Defines a resource.
 *
 * @param settings the group of environment variables that it reads; undefined if it reads none.
 * @param create opens it, from the checked values of those variables.
 * @param uses other resources that `create` gets through `context.use`.
 */
export function resource<Group extends Settings | NoSettings, Value>(
  settings: Group,
  create: (values: ValuesOf<Group>, context: ResourceContext<ValuesOf<Group>>) => Value,
  uses: readonly Resource<unknown>[] = [],
): Resource<Value> {
  const own = settings === undefined ? [] : [settings as Settings];
  return {
    settings: [...new Set([...own, ...uses.flatMap((each) => each.settings)])],
    uses,
    open(values, context) {
      const given = settings === undefined ? {} : values(settings as Settings);
      const reread = async () => (settings === undefined ? {} : context.reread(settings as Settings));
      return create(given as ValuesOf<Group>, {
        ...context,
        reread: reread as () => Promise<ValuesOf<Group>>,
      });
    },
  };
}
