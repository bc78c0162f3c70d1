/** CloudFormation's own functions, as far as we use them, or plain text. */
export type Text = string | { [name: string]: unknown };

export interface Resource {
  Type: string;
  Properties?: Record<string, unknown>;
  DependsOn?: string[];
}

/** Text in which CloudFormation fills in `${AWS::Region}` and the like. */
export const sub = (text: string): Text => ({ 'Fn::Sub': text });
export const ref = (logicalId: string): Text => ({ Ref: logicalId });
export const attribute = (logicalId: string, name: string): Text => ({ 'Fn::GetAtt': [logicalId, name] });

/** The ARN of something of this account in this region: `ssm:parameter/warren`. */
export function ownArn(service: string, resource: string): Text {
  return sub(`arn:\${AWS::Partition}:${service}:\${AWS::Region}:\${AWS::AccountId}:${resource}`);
}
