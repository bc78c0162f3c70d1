/**
 * Triggered by CloudFormation, before anything calls the new code of a deployment: declares the topology, migrates the database, and
 * creates the logins of the groups. A second run changes nothing. Only this function may read the logins of the administrators.
 */
import { loadSettings, urlField } from 'warren/functions';
import {
  applyUsers,
  compileUsers,
  placeTopology,
  readSection,
  readService,
  type Service,
  serviceTopology,
  sharedRetryExchanges,
} from 'warren/topology';
import * as z from 'zod';
import { prepareDatabase } from '../../shared/database/prepare.ts';
import { answering, type CallContext, type CustomResourceEvent } from './custom-resource.ts';
import {
  type AwsUsers,
  awsUsersVariable,
  brokerLoginVariable,
  databaseLoginVariable,
  mappingLogin,
  mappingUser,
} from './variables.ts';

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
    [mappingLogin.name]: z.string().optional(),
    [mappingLogin.password]: z.string().optional(),
    [awsUsersVariable]: z.string().default('{}'),
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
  const read = await readService(file);
  const service = withUsers(read, JSON.parse(admin[awsUsersVariable]) as AwsUsers);
  const topology = serviceTopology(service);
  await placeTopology(topology, { url, managementUrl });
  const passwords = Object.fromEntries(urls(brokerLoginVariable('')).map(loginOf));
  const { [mappingLogin.name]: name, [mappingLogin.password]: password } = admin;
  // Another name may be that of a login which has more to do, such as the administrator's.
  if (name === mappingUser && password !== undefined) passwords[name] = password;
  const users = await prepareUsers(service, { url, managementUrl, passwords });
  const migrations = await prepareDatabase(ADMIN_DATABASE_URL, urls(databaseLoginVariable('')));
  return {
    Queues: String(topology.queues.length),
    Users: users.join(' '),
    Migrations: migrations.join(' '),
  };
}

/** The service with users of a deployment beside its own. Those of serverless.yml have precedence. */
function withUsers(service: Service, users: AwsUsers): Service {
  const added = readSection({ users }).users;
  return { ...service, section: { ...service.section, users: { ...added, ...service.section.users } } };
}

/** Creates the users whose passwords the deployment has. Others of custom.warren.users stay as they are. */
async function prepareUsers(
  { name, section, functions }: Service,
  {
    url,
    managementUrl,
    passwords,
  }: { url: string; managementUrl: string | undefined; passwords: Readonly<Record<string, string>> },
): Promise<string[]> {
  if (managementUrl === undefined || Object.keys(passwords).length === 0) return [];
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
