import { CfnOutput, Fn, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { acknowledge } from './findings.ts';
import { WarrenPlatform } from './platform.ts';
import type { PlatformSettings } from './settings.ts';

export interface PlatformStackProps extends StackProps {
  service: string;
  stage: string;
  settings: PlatformSettings;
}

/** The platform of one stage. Its outputs are the parameters of a deployment, and the DNS records that have to be made by hand. */
export class PlatformStack extends Stack {
  constructor(scope: Construct, id: string, { service, stage, settings, ...props }: PlatformStackProps) {
    super(scope, id, props);
    const platform = new WarrenPlatform(this, 'Platform', { ...settings, service, stage });
    for (const [name, value] of Object.entries(platform.parameters)) new CfnOutput(this, name, { value });
    if (!settings.zone) {
      platform.mail.records.forEach(({ name, type, value }, index) => {
        new CfnOutput(this, `record${index + 1}`, { value: Fn.join(' ', [name, type, value]) });
      });
    }
    acknowledge(platform);
  }

  /** Without a look at the account, so that the template needs no credentials. */
  override get availabilityZones(): string[] {
    return [0, 1, 2].map((index) => Fn.select(index, Fn.getAzs()));
  }
}
