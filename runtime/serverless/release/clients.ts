import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';

/** A client of AWS's SDK, with untyped answers: each caller reads only a few members. */
export interface Client {
  send(command: object): Promise<Record<string, unknown>>;
}

interface Sdk {
  clientOf(config: object): Client;
  command(name: string, input: object): object;
}

/** Loads clients of AWS's SDK from the serverless CLI, which deploys with them, so that a project needs no others. */
export function sdkOf(service: 'cloudformation' | 's3' | 'lambda'): Sdk {
  const [, cli = ''] = process.argv;
  const loaded = createRequire(realpathSync(cli))(`@aws-sdk/client-${service}`) as Record<
    string,
    new (
      input: object,
    ) => object
  >;
  const make = (name: string, input: object): object => {
    const Class = loaded[name];
    if (!Class) throw new Error(`@aws-sdk/client-${service}: expected ${name} in it, got none`);
    return new Class(input);
  };
  const clientName = { cloudformation: 'CloudFormationClient', s3: 'S3Client', lambda: 'LambdaClient' }[
    service
  ];
  return {
    clientOf: (config) => make(clientName, config) as Client,
    command: (name, input) => make(`${name}Command`, input),
  };
}
