import { WarrenError } from '../../base/errors.ts';
import { type Entry, formerOf, recorded, restored, type Versions } from './history.ts';
import type { Stack } from './stack.ts';
import { aliasesIn, type Template } from './template.ts';

export interface Restored {
  /** When the versions that are live again were deployed. */
  at: string;
  /** Functions whose alias changed, with the version that was live and the one that is. */
  changes: readonly { name: string; from: string; to: string }[];
}

/**
 * Lets the aliases name the versions that were live before the last deployment. CloudFormation changes them, at once and together, so
 * that the stack knows what is live, and the next deployment shifts from there.
 *
 * @throws WarrenError ERR_CONFIG if there is nothing to restore, or the stack is being changed.
 */
export async function restoreVersions(stack: Stack, alias: string): Promise<Restored> {
  const { status } = await stack.status();
  if (!status.endsWith('_COMPLETE')) {
    const advice = status.endsWith('UPDATE_IN_PROGRESS')
      ? '; aws cloudformation cancel-update-stack ends a deployment and returns to the former versions'
      : '';
    throw new WarrenError('ERR_CONFIG', `restore: expected a stack at rest, got ${status}${advice}`);
  }
  const template = await stack.template();
  const aliases = aliasesIn(template, alias);
  const now = await stack.liveVersions(aliases.values(), alias);
  const history = await stack.history();
  const former = formerOf(history, now);
  if (!former) {
    throw new WarrenError('ERR_CONFIG', 'restore: expected a deployment before the last one, got none');
  }
  await stack.update(withVersions(template, aliases, former.versions));
  const live = await stack.liveVersions(aliases.values(), alias);
  await stack.keepHistory(restored(history, former));
  return { at: former.at, changes: changesOf(now, live) };
}

/** Records what is live, so that it can be restored. */
export async function recordLive(
  stack: Stack,
  functionNames: Iterable<string>,
  alias: string,
): Promise<void> {
  const versions = await stack.liveVersions(functionNames, alias);
  if (Object.keys(versions).length === 0) return;
  const history = await stack.history();
  const next: Entry[] = recorded(history, versions, new Date());
  if (next.length !== history.length || next.at(-1) !== history.at(-1)) await stack.keepHistory(next);
}

/** The template with these versions in place of those that it publishes. They are called at once, without CodeDeploy. */
function withVersions(
  template: Template,
  aliases: ReadonlyMap<string, string>,
  versions: Versions,
): Template {
  const result = structuredClone(template);
  for (const [id, name] of aliases) {
    const resource = result.Resources[id];
    const version = versions[name];
    if (!resource || version === undefined) continue;
    resource.Properties['FunctionVersion'] = version;
    delete resource.UpdatePolicy;
  }
  return result;
}

function changesOf(before: Versions, after: Versions): Restored['changes'] {
  return Object.entries(after).flatMap(([name, to]) => {
    const from = before[name] ?? 'none';
    return from === to ? [] : [{ name, from, to }];
  });
}
