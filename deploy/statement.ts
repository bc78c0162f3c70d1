import { ownArn, type Text } from './template.ts';

/** A statement of a policy. */
export interface Statement {
  Effect: 'Allow' | 'Deny';
  Action: string[];
  Resource: Text | Text[];
  Condition?: Record<string, Record<string, unknown>>;
}

export function allow(Action: string[], Resource: Text | Text[]): Statement {
  return { Effect: 'Allow', Action, Resource };
}

/**
 * Denies the function's own code what only Lambda itself does with the function's role, outside of its execution environment.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
 */
export function denyOwnCode(functionName: string, Action: string[], Resource: Text | Text[]): Statement {
  // Also as its alias or a version.
  const own = ['', ':*'].map((qualifier) => ownArn('lambda', `function:${functionName}${qualifier}`));
  return { Effect: 'Deny', Action, Resource, Condition: { ArnEquals: { 'lambda:SourceFunctionArn': own } } };
}
