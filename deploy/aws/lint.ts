import type { CfnResource } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

/** Lets cfn-lint pass over a check at one resource. */
export function ignoreLint({ node }: Construct, check: string): void {
  (node.defaultChild as CfnResource).addMetadata('cfn-lint', { config: { ignore_checks: [check] } });
}
