import type { Text } from './template.ts';

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
