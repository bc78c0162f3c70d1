import type { ClientConfig } from 'pg';
import { parseIntoClientConfig } from 'pg-connection-string';
import { rdsToken } from './rds-token.ts';

/** The parameter of the URL that asks for a token in place of a password. */
const parameter = 'auth';

/** All members that `targetOf` may set, so that another target replaces them. */
const none = {
  connectionString: undefined,
  host: undefined,
  port: undefined,
  user: undefined,
  database: undefined,
  password: undefined,
  ssl: undefined,
};

/** Whether RDS knows the login of a URL by IAM. */
export const isRdsIam = (url: string): boolean => new URL(url).searchParams.get(parameter) === 'rds-iam';

/**
 * The options of a connection to a database. With `auth=rds-iam` in its URL, each new connection gets a token of its own in place of a
 * password, because a token is valid for 15 minutes.
 *
 * @param url PostgreSQL URL.
 */
export function targetOf(url: string): ClientConfig {
  if (!isRdsIam(url)) return { ...none, connectionString: url } as ClientConfig;
  const read = new URL(url);
  read.searchParams.delete(parameter);
  const { hostname, port } = read;
  const user = decodeURIComponent(read.username);
  return {
    ...none,
    ...parseIntoClientConfig(read.href),
    password: () => rdsToken({ host: hostname, port: Number(port || 5432), user }),
  } as ClientConfig;
}
