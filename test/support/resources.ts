import { type Resources, variablesOf } from 'warren/functions';
import { projectFile } from '../../dev/stack/project.ts';

/**
 * The environment variables that a handler reads, as the resources that it declares specify them.
 *
 * @param handler as serverless.yml names it: `functions/alerts/raise.handler`.
 */
export async function variablesOfHandler(handler: string): Promise<Set<string>> {
  const file = projectFile(handler.replace(/\.handler$/, '.ts'));
  const { handler: declared } = (await import(file)) as { handler: { resources: Resources } };
  const settings = Object.values(declared.resources).flatMap((each) => each.settings);
  return new Set(settings.flatMap(variablesOf));
}
