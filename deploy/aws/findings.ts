import { Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { WarrenPlatform } from './platform.ts';

const rule = (id: string) => `AwsSolutions::AwsSolutions-${id}`;

/** Findings of cdk-nag that stay, each with its reason, at the construct that has it. */
export function acknowledge(platform: WarrenPlatform): void {
  const accept = (scope: Construct, id: string, reason: string) =>
    Validations.of(scope).acknowledge({ id: rule(id), reason });
  const { secrets, database, mailLogin } = platform;
  accept(
    secrets,
    'SMG4',
    'Another password has to be set at the broker, the database or SES too, which a schedule cannot do. The functions log in at the database by IAM.',
  );
  accept(
    database.instance,
    'RDS11',
    'Only the group of the functions reaches the port; another number would hide nothing.',
  );
  if (!platform.multiAz) {
    accept(
      database.instance,
      'RDS3',
      'The small form, to try things out. The form for production has two instances.',
    );
  }
  const identities = 'arn:<AWS::Partition>:ses:<AWS::Region>:<AWS::AccountId>:identity/*';
  accept(
    mailLogin.user,
    `IAM5[Resource::${identities}]`,
    'SES in its sandbox checks the rights for recipients too. The condition allows one domain of senders.',
  );
}
