import type { BucketAccess } from './roles.ts';
import type { Resource } from './template.ts';

export type Environment = Record<string, unknown>;

export interface FunctionSection {
  name: string;
  /** Seconds. */
  timeout?: number;
  events: Record<string, unknown>[];
  environment?: Environment;
  bucket?: BucketAccess;
  role?: string;
  handler?: string;
  memorySize?: number;
  package?: { patterns: string[] };
  /** Logical id of the function's version, once it is compiled. */
  versionLogicalId?: string;
}

/** The parts of the service that the plugin reads and changes. */
export interface Service {
  service: string;
  functions: Record<string, FunctionSection>;
  provider: {
    environment?: Environment;
    /** Seconds. */
    timeout?: number;
    logs?: Record<string, unknown>;
    httpApi?: Record<string, unknown>;
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
    naming: Record<
      'getNormalizedFunctionName' | 'getLogGroupLogicalId' | 'getLambdaLogicalId',
      (functionName: string) => string
    >;
  };
}

/** The variables of all functions, and those of each function. */
export function environmentsOf({ provider, functions }: Service): Environment[] {
  const sections: { environment?: Environment }[] = [provider, ...Object.values(functions)];
  return sections.flatMap(({ environment }) => (environment ? [environment] : []));
}

/** The functions without those for development: one variable, set in the console, would make `sign-in` give a token to anybody. */
export function withoutDevelopment(functions: Service['functions']): Service['functions'] {
  const deployed = Object.entries(functions).filter(
    ([, { environment = {} }]) => !('WARREN_DEV_SIGN_IN' in environment),
  );
  return Object.fromEntries(deployed);
}
