import type { Release } from '../../topology/release.ts';
import { type ShiftedFunction, shiftResources } from './shift.ts';
import { attribute, type Resource, ref, type Template } from './template.ts';

/** The parts of a function of serverless.yml that osls reads, and that it adds when it compiles the function. */
export interface ReleasedFunction {
  name?: string;
  versionFunction?: boolean;
  /** What the function's events call in place of its newest code. */
  targetAlias?: { name: string; logicalId: string };
  /** The version in the template, once it is compiled. */
  versionLogicalId?: string;
  /** With one of these, osls makes an alias of its own. */
  provisionedConcurrency?: unknown;
  snapStart?: unknown;
}

export type ReleasedFunctions = Readonly<Record<string, ReleasedFunction>>;

/** Names of osls for what it compiles. */
export type Naming = Record<'getNormalizedFunctionName' | 'getLambdaLogicalId', (key: string) => string>;

/** Makes osls publish a version of each function, and lets every event call the alias: routes, schedules and mappings. */
export function targetAliases(functions: ReleasedFunctions, { alias }: Release, naming: Naming): void {
  for (const [key, definition] of Object.entries(functions)) {
    if (hasOwnAlias(definition)) continue;
    const logicalId = `${naming.getNormalizedFunctionName(key)}${pascalCase(alias)}Alias`;
    Object.assign(definition, { versionFunction: true, targetAlias: { name: alias, logicalId } });
  }
}

/** Adds the aliases of the compiled functions, and what shifts their calls if that is not done at once. */
export function addAliases(
  template: Template,
  functions: ReleasedFunctions,
  { release, naming, prefix }: { release: Release; naming: Naming; prefix: string },
): void {
  const shifted: ShiftedFunction[] = [];
  for (const [key, definition] of Object.entries(functions)) {
    const { name = key, targetAlias, versionLogicalId } = definition;
    if (hasOwnAlias(definition) || !targetAlias || versionLogicalId === undefined) continue;
    template.Resources[targetAlias.logicalId] = {
      Type: 'AWS::Lambda::Alias',
      Properties: {
        FunctionName: ref(naming.getLambdaLogicalId(key)),
        FunctionVersion: attribute(versionLogicalId, 'Version'),
        Name: targetAlias.name,
      },
    };
    const id = naming.getNormalizedFunctionName(key);
    shifted.push({ key, id, name, aliasId: targetAlias.logicalId, versionId: versionLogicalId });
  }
  if (release.shift === 'AllAtOnce' || shifted.length === 0) return;
  Object.assign(
    template.Resources,
    shiftResources(template, shifted, { alias: release.alias, shift: release.shift, prefix }),
  );
}

/**
 * Lets each route wait for the permission to call what it calls: without it, the update that introduces the alias would have routes
 * that API Gateway may not call yet.
 */
export function permitFirst({ Resources }: Template): void {
  const permissions = new Map(
    Object.entries(Resources).flatMap(([id, { Type, Properties }]): [string, string][] => {
      return Type === 'AWS::Lambda::Permission' ? [[JSON.stringify(Properties['FunctionName']), id]] : [];
    }),
  );
  for (const resource of Object.values(Resources)) {
    if (resource.Type !== 'AWS::ApiGatewayV2::Integration') continue;
    const permission = permissions.get(JSON.stringify(resource.Properties['IntegrationUri']));
    if (permission === undefined) continue;
    resource.DependsOn = [...new Set([...dependencies(resource), permission])];
  }
}

const dependencies = ({ DependsOn = [] }: Resource) => [DependsOn].flat();

const hasOwnAlias = ({ provisionedConcurrency, snapStart }: ReleasedFunction) =>
  Boolean(provisionedConcurrency) || Boolean(snapStart);

function pascalCase(name: string): string {
  return name.replace(/(?:^|[-_])(\w)/g, (_, letter: string) => letter.toUpperCase());
}
