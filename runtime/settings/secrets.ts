import { AwsClient } from 'aws4fetch';
import * as z from 'zod';
import { awsEnvironment, awsVariables } from '../base/aws-environment.ts';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import { parseReference, type Reference } from './references.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface SecretsOptions {
  /**
   * Environment with the credentials, the region and, for a service other than AWS, the endpoint, under the names of AWS's
   * SDKs; default the environment of the process, which Lambda fills.
   */
  env?: Environment;
  /** Time limit of each call in milliseconds, default 3000. */
  timeoutMs?: number;
}

/** Maximum number of names in one call of SSM. */
const maxNames = 10;

/**
 * Reads the secrets that variables refer to. Loading AWS's SDK would add more than 100 ms to each cold start, so this
 * module makes the two calls of its protocol (AWS JSON 1.1) itself.
 *
 * @param references the reference of each variable, in a form that `parseReference` accepts.
 * @returns the secret of each variable.
 * @throws WarrenError ERR_CONFIG that names every secret that does not exist or may not be read; UnavailableError if AWS
 *   does not answer or throttles the call. No error contains a secret.
 */
export async function readSecrets<Name extends string>(
  references: Readonly<Record<Name, string>>,
  options: SecretsOptions = {},
): Promise<Record<Name, string>> {
  const call = caller(options);
  const wanted = Object.entries<string>(references).map(([variable, text]) => {
    return { variable, text, ...(parseReference(text) as Reference) };
  });
  const ids = (service: Reference['service']) => [
    ...new Set(wanted.filter((each) => each.service === service).map(({ id }) => id)),
  ];
  const [parameters, secrets] = await Promise.all([
    readParameters(call, ids('ssm')),
    readValues(call, ids('secretsmanager')),
  ]);
  const problems: string[] = [];
  const values = wanted.map(({ variable, text, service, id, key }) => {
    const whole = (service === 'ssm' ? parameters : secrets).get(id);
    const value = key === undefined ? whole : memberOf(whole, key);
    if (value === undefined) problems.push(`${variable}: ${text} does not exist, or may not be read`);
    return [variable, value];
  });
  if (problems.length > 0) {
    throw new WarrenError('ERR_CONFIG', `secrets are missing:\n  ${problems.join('\n  ')}`);
  }
  return Object.fromEntries(values) as Record<Name, string>;
}

/** AWS refused a call: the secrets that it asked for are missing. */
class RefusedError extends Error {}

type Call = (service: Reference['service'], action: string, body: object) => Promise<unknown>;

const parameters = () => z.object({ Parameters: z.array(z.object({ Name: z.string(), Value: z.string() })) });
const secret = () => z.object({ SecretString: z.string() });

/** Reads parameters together: SSM allows 40 calls per second and account, and many functions start at a time. */
async function readParameters(call: Call, names: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let first = 0; first < names.length; first += maxNames) {
    const Names = names.slice(first, first + maxNames);
    const answer = await unlessRefused(
      call('ssm', 'AmazonSSM.GetParameters', { Names, WithDecryption: true }),
    );
    if (answer === undefined) continue;
    for (const { Name, Value } of parameters().parse(answer).Parameters) found.set(Name, Value);
  }
  return found;
}

async function readValues(call: Call, ids: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const read = ids.map(async (SecretId) => {
    const answer = await unlessRefused(call('secretsmanager', 'secretsmanager.GetSecretValue', { SecretId }));
    if (answer !== undefined) found.set(SecretId, secret().parse(answer).SecretString);
  });
  await Promise.all(read);
  return found;
}

async function unlessRefused(answer: Promise<unknown>): Promise<unknown> {
  return answer.catch((error: unknown) => {
    if (error instanceof RefusedError) return undefined;
    throw error;
  });
}

function memberOf(json: string | undefined, key: string): string | undefined {
  if (json === undefined) return undefined;
  try {
    const value = (JSON.parse(json) as Record<string, unknown>)[key];
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

function caller({ env = process.env, timeoutMs = 3000 }: SecretsOptions): Call {
  const aws = awsEnvironment(env);
  if (!aws) throw new WarrenError('ERR_CONFIG', `to read secrets, set ${awsVariables}, as Lambda does`);
  const { region, domain, credentials } = aws;
  const client = new AwsClient({ ...credentials, region, retries: 2 });
  return async (service, action, body) => {
    const url = env['AWS_ENDPOINT_URL'] || `https://${service}.${region}.${domain}`;
    try {
      const response = await client.fetch(`${url.replace(/\/$/, '')}/`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': action },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
        aws: { service },
      });
      const answer = (await response.json()) as { __type?: string };
      if (response.ok) return answer;
      // Throttling is a 400 too.
      if (response.status < 500 && !/Throttl|TooManyRequests/.test(answer.__type ?? ''))
        throw new RefusedError();
      throw new UnavailableError('secrets', `${service} answered ${response.status}`);
    } catch (cause) {
      if (cause instanceof RefusedError || cause instanceof UnavailableError) throw cause;
      throw new UnavailableError('secrets', `${service} can't be reached`, { cause });
    }
  };
}
