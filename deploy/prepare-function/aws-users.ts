import { mappingsVariable, readPolledMappings } from 'warren/hosts';
import type { Service } from '../service.ts';
import { type AwsUsers, mappingUser } from './variables.ts';

/**
 * The users that only a deployment to AWS has: that of the mappings, which takes messages from their queues and does nothing else, and that
 * of the long poll, which acts for the functions that it feeds. The topology and `--param=source` say which queues and functions.
 */
export function awsUsers({ functions }: Service): AwsUsers {
  const queues = Object.values(functions).flatMap(({ events }) => {
    return events.flatMap(({ rabbitmq }) => (rabbitmq as { queue: string } | undefined)?.queue ?? []);
  });
  const polled = Object.values(functions).flatMap(({ environment = {} }) => {
    const { [mappingsVariable]: text } = environment;
    return typeof text === 'string' ? readPolledMappings({ [mappingsVariable]: text }) : [];
  });
  const keys = [...new Set(polled.map(({ functionName }) => functionName))];
  return {
    ...(queues.length > 0 && { [mappingUser]: { consumes: [...new Set(queues)] } }),
    ...(keys.length > 0 && { adapter: { functions: keys, answers: queues.length === 0 } }),
  };
}

/** The secret with the login of the mappings; undefined without mappings, or for the default, which no account has. */
export function mappingSecret({ functions }: Service): string | undefined {
  const arns = Object.values(functions).flatMap(({ events }) => {
    return events.flatMap(
      ({ rabbitmq }) => (rabbitmq as { basicAuthArn: string } | undefined)?.basicAuthArn ?? [],
    );
  });
  return arns.find((arn) => /^arn:[^:]+:secretsmanager:[^:]+:(?!0{12}:)\d{12}:secret:/.test(arn));
}
