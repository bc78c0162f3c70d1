import { WarrenError } from '../base/errors.ts';
import { hasFile } from '../settings/secret-files.ts';
import type { Manifest } from './manifest.ts';

/**
 * Refuses functions whose `environment` gives one variable different values. On Lambda each function has an environment of
 * its own; here they share that of the process, so that the second function would run with the value of the first. Functions
 * in processes of their own are not checked, because each has its own environment there too.
 *
 * @throws WarrenError ERR_CONFIG that names each such variable and its functions, but not the values, which may be secrets.
 */
export function checkEnvironment(
  { functions }: Manifest,
  names: readonly string[],
  env: NodeJS.ProcessEnv,
): void {
  const functionsOf = new Map<string, Map<string, string[]>>();
  for (const name of names) {
    for (const [variable, value] of Object.entries(functions[name]?.environment ?? {})) {
      // The process's own value applies to all functions; an empty one counts as missing.
      if (env[variable] || hasFile(env, variable) || value === '') continue;
      const byValue = functionsOf.get(variable) ?? new Map<string, string[]>();
      byValue.set(value, [...(byValue.get(value) ?? []), name]);
      functionsOf.set(variable, byValue);
    }
  }
  const problems = [...functionsOf]
    .filter(([, byValue]) => byValue.size > 1)
    .map(([variable, byValue]) => problem(variable, [...byValue.values()]));
  if (problems.length > 0) throw new WarrenError('ERR_CONFIG', problems.join('\n'));
}

function problem(variable: string, groups: readonly string[][]): string {
  const functions = groups.map((names) => names.join(', ')).join(' / ');
  return (
    `environment: ${variable}: expected one value for all functions of a process, got ${groups.length} (${functions}); ` +
    `set ${variable} in the environment of this process, or run these functions in processes of their own, as ` +
    `\`warren worker\` does by default; or name them, as in \`warren worker ${groups[0]?.[0]}\`, or use a manifest for each`
  );
}
