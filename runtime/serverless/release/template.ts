/** A resource of CloudFormation, as far as a release reads and changes it. */
export interface Resource {
  Type: string;
  Properties: Record<string, unknown>;
  DependsOn?: string | string[] | undefined;
  UpdatePolicy?: Record<string, unknown>;
}

export interface Template {
  Resources: Record<string, Resource>;
}

export const ref = (logicalId: string) => ({ Ref: logicalId });
export const attribute = (logicalId: string, name: string) => ({ 'Fn::GetAtt': [logicalId, name] });
export const sub = (text: string) => ({ 'Fn::Sub': text });

/** The aliases of a template that a release made: the deployed name of each function, by the alias's logical id. */
export function aliasesIn({ Resources }: Template, alias: string): Map<string, string> {
  return new Map(
    Object.entries(Resources).flatMap(([id, { Type, Properties }]): [string, string][] => {
      if (Type !== 'AWS::Lambda::Alias' || Properties['Name'] !== alias) return [];
      const { Ref = '' } = Properties['FunctionName'] as { Ref?: string };
      const name = Resources[Ref]?.Properties['FunctionName'];
      return typeof name === 'string' ? [[id, name]] : [];
    }),
  );
}
