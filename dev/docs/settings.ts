import type { Settings } from 'warren/functions';
import { codes, table } from './markdown.ts';

/** A handler that declares its resources, as `lambda` makes it. */
export interface Declared {
  resources: Readonly<Record<string, { settings: readonly Settings[] }>>;
}

/** The schema of a variable. */
export type Field = ReturnType<Settings>['shape'][string];

/** The parts of a Zod schema's definition in which a default may be. */
interface Definition {
  type: string;
  defaultValue?: unknown;
  innerType?: Field;
  in?: Field;
}

export interface SettingsOptions {
  /** The handlers, by the names of their functions. */
  handlers: Readonly<Record<string, Declared>>;
  /** Settings that every function reads. */
  common: readonly Settings[];
  /** Settings that commands read. */
  commands: readonly Settings[];
  /** The group in serverless.yml that each variable belongs to. */
  groups: ReadonlyMap<string, string>;
}

/** A variable that more functions read is listed with their number, because functions.md has the functions. */
const maxListed = 4;

/**
 * The table of settings: each variable with its group, its meaning, its default, and the functions that read it.
 *
 * @throws Error if a variable has no description, or two descriptions.
 */
export function settingsTable({ handlers, common, commands, groups }: SettingsOptions): string {
  const readers = new Map<string, Set<string>>();
  const fields = new Map<string, Field>();
  const add = (group: Settings, functions: readonly string[]) => {
    for (const [variable, field] of Object.entries(group().shape)) {
      if ((fields.get(variable)?.description ?? field.description) !== field.description) {
        throw new Error(`${variable}: expected one description, got two`);
      }
      fields.set(variable, field);
      readers.set(variable, new Set([...(readers.get(variable) ?? []), ...functions]));
    }
  };
  const all = Object.keys(handlers);
  for (const group of common) add(group, all);
  for (const [name, { resources }] of Object.entries(handlers)) {
    const groups = Object.values(resources).flatMap(({ settings }) => settings);
    for (const group of new Set(groups)) add(group, [name]);
  }
  for (const group of commands) add(group, []);
  const rows = [...fields].map(([variable, field]) => {
    if (!field.description) throw new Error(`${variable}: expected a description, got none`);
    const functions = [...(readers.get(variable) ?? [])];
    const readBy = describeReaders(functions, all.length);
    return [codes([variable]), groups.get(variable) ?? '', field.description, defaultOf(field), readBy];
  });
  return table(['variable', 'group', 'meaning', 'default', 'read by'], rows);
}

function describeReaders(functions: readonly string[], all: number): string {
  if (functions.length === 0) return 'commands';
  if (functions.length === all) return 'all functions';
  return functions.length > maxListed ? `${functions.length} functions` : codes(functions);
}

/** Whether a deployment has to set the variable, because it has neither a default nor a meaning when it is missing. */
export const isRequired = (field: Field): boolean => defaultOf(field) === 'required';

/** The default of a variable; `required` if it has none and is not optional. */
function defaultOf(field: Field): string {
  const definition = field.def as unknown as Definition;
  if (definition.type === 'default') {
    const { defaultValue: value } = definition;
    return codes([typeof value === 'string' ? value : JSON.stringify(value)]);
  }
  if (definition.type === 'optional') return '';
  const inner = definition.innerType ?? definition.in;
  return inner === undefined ? 'required' : defaultOf(inner);
}
