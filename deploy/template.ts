/** CloudFormation's own functions, as far as we use them, or plain text. */
export type Text = string | { [name: string]: unknown };

export interface Resource {
  Type: string;
  Properties?: Record<string, unknown>;
  DependsOn?: string | string[];
}

/** Text in which CloudFormation fills in `${AWS::Region}` and the like. */
export const sub = (text: string): Text => ({ 'Fn::Sub': text });
export const ref = (logicalId: string): Text => ({ Ref: logicalId });
export const attribute = (logicalId: string, name: string): Text => ({ 'Fn::GetAtt': [logicalId, name] });

/** The ARN of something of this account in this region: `ssm:parameter/warren`. */
export function ownArn(service: string, resource: string): Text {
  return sub(`arn:\${AWS::Partition}:${service}:\${AWS::Region}:\${AWS::AccountId}:${resource}`);
}

/**
 * Takes out of each resource's `DependsOn` what its properties refer to: CloudFormation waits for that anyway. serverless writes
 * both, and linters warn about each.
 */
export function dropRepeatedDependencies(resources: Readonly<Record<string, Resource>>): void {
  for (const resource of Object.values(resources)) {
    if (resource.DependsOn === undefined) continue;
    const referred = new Set(referredIn(resource.Properties));
    const left = [resource.DependsOn].flat().filter((id) => !referred.has(id));
    if (left.length > 0) resource.DependsOn = left;
    else delete resource.DependsOn;
  }
}

function referredIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { Ref, 'Fn::GetAtt': got } = value as { Ref?: unknown; 'Fn::GetAtt'?: unknown };
  const own = [Ref, Array.isArray(got) ? got[0] : got];
  return [...own.filter((id) => typeof id === 'string'), ...Object.values(value).flatMap(referredIn)];
}
