import { describe, expect, it } from 'vitest';
import { roleOf } from '../../deploy/roles.ts';
import type { Statement } from '../../deploy/statement.ts';

const arn = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:my-broker-a1B2c3';

/** What the function's own code is denied of Secrets Manager. */
function deniedWith(value: string) {
  const { Properties = {} } = roleOf({
    functionName: 'work',
    logGroup: 'WorkLogs',
    environment: { AMQP_URL: value },
    brokers: [{ arn: 'arn:aws:mq:us-east-1:000000000000:broker:one:b-1', secret: arn }],
    calls: [],
    secretsKey: '',
    traced: false,
  });
  const [policy] = Properties['Policies'] as { PolicyDocument: { Statement: Statement[] } }[];
  return (policy?.PolicyDocument.Statement ?? []).flatMap(({ Effect, Action, Resource }) =>
    Effect === 'Deny' && Action.includes('secretsmanager:GetSecretValue') ? [Resource].flat() : [],
  );
}

describe("the login of a function's mappings", () => {
  it.each([
    ['another secret', 'secretsmanager:other#url'],
    ['a secret whose name begins in the same way', 'secretsmanager:my'],
    ['a parameter of the same name', 'ssm:my-broker'],
    ['a text', 'amqps://broker'],
  ])('is denied to the code of a function whose variable is %s', (_, value) => {
    expect(deniedWith(value)).toEqual([arn]);
  });

  it.each([
    ['name', 'secretsmanager:my-broker#url'],
    ['ARN', `secretsmanager:${arn}#url`],
    ['ARN without its six characters', `secretsmanager:${arn.slice(0, -7)}`],
  ])("is allowed to the code of a function whose own variable has the secret's %s", (_, value) => {
    expect(deniedWith(value)).toEqual([]);
  });
});
