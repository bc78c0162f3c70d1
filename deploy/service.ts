import type { BucketAccess } from './roles.ts';
import type { Resource } from './template.ts';

export type Environment = Record<string, unknown>;

export interface FunctionSection {
  name: string;
  events: Record<string, unknown>[];
  environment?: Environment;
  bucket?: BucketAccess;
  role?: string;
}

/** The parts of the service that the plugin reads and changes. */
export interface Service {
  service: string;
  functions: Record<string, FunctionSection>;
  provider: {
    environment?: Environment;
    vpc?: { subnetIds: string[]; securityGroupIds: string[] };
    tracing?: { lambda?: unknown };
    compiledCloudFormationTemplate?: { Resources: Record<string, Resource> };
  };
  resources?: { Resources?: Record<string, unknown> };
  custom: Record<string, unknown>;
}

/** The parts of the serverless CLI's object that the plugin reads and changes. */
export interface Serverless {
  processedInput: { commands: string[] };
  service: Service;
  configSchemaHandler: { defineFunctionProperties(provider: string, schema: object): void };
  getProvider(name: 'aws'): {
    getStage(): string;
    naming: Record<'getNormalizedFunctionName' | 'getLogGroupLogicalId', (functionName: string) => string>;
  };
}

/** The variables of all functions, and those of each function. */
export function environmentsOf({ provider, functions }: Service): Environment[] {
  const sections: { environment?: Environment }[] = [provider, ...Object.values(functions)];
  return sections.flatMap(({ environment }) => (environment ? [environment] : []));
}
