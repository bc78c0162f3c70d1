/**
 * Triggered by CloudFormation, before anything calls the new code of a deployment: declares the topology, migrates the database, and
 * creates the logins of the groups. A second run changes nothing. Only this function may read the logins of the administrators.
 */
import { loadSettings, urlField } from 'warren/functions';
import {
  applyUsers,
  compileUsers,
  placeTopology,
  readService,
  type Service,
  serviceTopology,
  sharedRetryExchanges,
} from 'warren/topology';
import * as z from 'zod';
import { prepareDatabase } from '../../shared/database/prepare.ts';
import { answering, type CallContext, type CustomResourceEvent } from './custom-resource.ts';
import { brokerLoginVariable, databaseLoginVariable } from './variables.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const settingsIn = (env: Environment) => () => {
  const amqp = () => urlField(['amqp:', 'amqps:'], 'amqps://admin:password@host:5671');
  const postgres = () => urlField(['postgres:', 'postgresql:'], 'postgres://owner:password@host:5432/warren');
  const logins = Object.keys(env).flatMap((name): [string, z.ZodType<string>][] => {
    if (name.startsWith(brokerLoginVariable(''))) return [[name, amqp()]];
    return name.startsWith(databaseLoginVariable('')) ? [[name, postgres()]] : [];
  });
  return z.object({
    ADMIN_AMQP_URL: amqp(),
    ADMIN_AMQP_MANAGEMENT_URL: urlField(['https:', 'http:'], 'https://admin:password@host').optional(),
    ADMIN_DATABASE_URL: postgres(),
    ...Object.fromEntries(logins),
  });
};

/** @param file serverless.yml with the topology, default the one in the artifact. */
export async function prepareStack(
  env: Environment,
  file = 'serverless.yml',
): Promise<Record<string, string>> {
  const { admin } = await loadSettings({ admin: settingsIn(env) }, env);
  const {
    ADMIN_AMQP_URL: url,
    ADMIN_AMQP_MANAGEMENT_URL: managementUrl,
    ADMIN_DATABASE_URL,
    ...logins
  } = admin;
  const urls = (prefix: string) =>
    Object.entries(logins).flatMap(([name, text]) => (name.startsWith(prefix) ? [String(text)] : []));
  const service = await readService(file);
  const topology = serviceTopology(service);
  await placeTopology(topology, { url, managementUrl });
  const users = await prepareUsers(service, { url, managementUrl, logins: urls(brokerLoginVariable('')) });
  const migrations = await prepareDatabase(ADMIN_DATABASE_URL, urls(databaseLoginVariable('')));
  return {
    Queues: String(topology.queues.length),
    Users: users.join(' '),
    Migrations: migrations.join(' '),
  };
}

/** Creates the users whose URLs the groups read, with the passwords in them. Others of custom.warren.users stay as they are. */
async function prepareUsers(
  { name, section, functions }: Service,
  {
    url,
    managementUrl,
    logins,
  }: { url: string; managementUrl: string | undefined; logins: readonly string[] },
): Promise<string[]> {
  if (managementUrl === undefined || logins.length === 0) return [];
  const passwords = Object.fromEntries(logins.map(loginOf));
  const vhost = new URL(url.split(',')[0] ?? '').pathname.slice(1) || '%2F';
  const broker = { managementUrl, vhost };
  const users = compileUsers(section, functions, await sharedRetryExchanges(broker), name);
  const given = users.filter((user) => passwords[user.name] !== undefined);
  const applied = await applyUsers({ ...broker, users: given, passwords });
  return applied.map((user) => `${user.name}:${user.was}`);
}

function loginOf(url: string): [name: string, password: string] {
  const { username, password } = new URL(url.split(',')[0] ?? '');
  return [decodeURIComponent(username), decodeURIComponent(password)];
}

export const handler = (event: CustomResourceEvent, context: CallContext): Promise<void> =>
  answering(event, context, () => prepareStack(process.env));
