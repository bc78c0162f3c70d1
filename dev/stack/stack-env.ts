import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { WarrenError } from '../../runtime/base/errors.ts';

/** Everything another program needs to join in; the names are those that `runtime/settings/read.ts` reads. */
export const stackEnvNames = [
  'AMQP_URL',
  'AMQP_MANAGEMENT_URL',
  'S3_ENDPOINT',
  'S3_BUCKET',
  'AWS_REGION',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'DATABASE_URL',
  'SMTP_URL',
  'MAILBOX_URL',
  'HTTP_URL',
  'LAMBDA_URL',
  'AUTH_JWT_SECRET',
  'UNSUBSCRIBE_SECRET',
  'PUBLIC_URL',
  'BOARD_URL',
] as const;

/** An address that a user's own part does not have (such as a mailbox page) is an empty text. */
export type StackEnv = Record<(typeof stackEnvNames)[number], string>;

/** File with the addresses of a running stack. */
export const stackEnvPath = (dataDir: string): string => join(resolve(dataDir), 'stack.env');

/** File with the addresses of the parts, which `serverless offline` waits for. */
export const functionsEnvPath = (dataDir: string): string => join(resolve(dataDir), 'functions.env');

/** Writes the file that marks the stack as running. */
export const writeStackEnv = (dataDir: string, env: StackEnv): Promise<void> =>
  writeEnv(stackEnvPath(dataDir), env);

/** Takes the file away: the stack is no longer up. */
export const removeStackEnv = (dataDir: string): Promise<void> => rm(stackEnvPath(dataDir), { force: true });

/** Writes the file that lets `serverless offline` go on. */
export const writeFunctionsEnv = (dataDir: string, env: StackEnv): Promise<void> =>
  writeEnv(functionsEnvPath(dataDir), env);

/** Removes the file of the stack before, whose parts have ended. */
export const removeFunctionsEnv = (dataDir: string): Promise<void> =>
  rm(functionsEnvPath(dataDir), { force: true });

/**
 * A value as Node's `parseEnv` reads it back: in quotes if it would take a part of it for a comment or for quotes.
 *
 * @throws WarrenError ERR_CONFIG if it contains each kind of quotes.
 */
function quoted(value: string): string {
  if (/^[\w.:/@%+,=-]*$/.test(value)) return value;
  const quote = ["'", '`', '"'].find((each) => !value.includes(each));
  if (quote === undefined) throw new WarrenError('ERR_CONFIG', 'a key of the stack contains all of \' " `');
  return `${quote}${value}${quote}`;
}

/** Writes a file that appears as a whole, because other programs may be waiting for it. */
async function writeEnv(path: string, env: StackEnv): Promise<void> {
  const lines = stackEnvNames.map((name) => `${name}=${quoted(env[name])}\n`);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, lines.join(''), { mode: 0o600 });
  await rename(`${path}.new`, path);
}
