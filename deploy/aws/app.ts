import { App, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { PlatformStack } from './stack.ts';
import { stages } from './stages.ts';

/** Name of the service in serverless.yml. */
const service = 'warren';

const app = new App();
for (const [stage, settings] of Object.entries(stages)) {
  const stack = new PlatformStack(app, `${service}-platform-${stage}`, {
    service,
    stage,
    settings,
    description: `Network, broker, database, secrets and mail of ${service}-${stage}`,
    terminationProtection: true,
  });
  Tags.of(stack).add('service', service);
  Tags.of(stack).add('stage', stage);
}
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
