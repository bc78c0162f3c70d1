import { isFree } from '../../runtime/local/free-port.ts';
import { StackError } from '../../runtime/local/stack-error.ts';

/**
 * Ports of all parts, on 127.0.0.1 only. The numbers keep out of the way of a broker or a database that the
 * machine may run already.
 */
export const portList = [
  { name: 'http', port: 3000, variable: 'WARREN_HTTP_PORT', what: 'HTTP functions' },
  { name: 'lambda', port: 3002, variable: 'WARREN_LAMBDA_PORT', what: 'Lambda API' },
  { name: 'mailbox', port: 1080, variable: 'WARREN_MAILBOX_PORT', what: 'mailbox page' },
  { name: 'smtp', port: 1025, variable: 'WARREN_SMTP_PORT', what: 'SMTP' },
  { name: 'amqp', port: 5673, variable: 'WARREN_AMQP_PORT', what: 'RabbitMQ' },
  { name: 'management', port: 15673, variable: 'WARREN_MANAGEMENT_PORT', what: 'RabbitMQ management' },
  { name: 'erlang', port: 25673, variable: 'WARREN_ERLANG_PORT', what: 'RabbitMQ between nodes' },
  { name: 'epmd', port: 4370, variable: 'WARREN_EPMD_PORT', what: 'Erlang port mapper' },
  { name: 'database', port: 5433, variable: 'WARREN_DATABASE_PORT', what: 'PostgreSQL' },
  { name: 'board', port: 9471, variable: 'WARREN_BOARD_PORT', what: 'board' },
  { name: 's3', port: 9100, variable: 'WARREN_S3_PORT', what: 'object storage' },
] as const;

export type PortName = (typeof portList)[number]['name'];
export type Ports = Record<PortName, number>;

/** The address of a port. */
export const at = (port: number): string => `http://127.0.0.1:${port}`;
/** The addresses of the functions. */
export const httpUrls = ({ http, lambda }: Ports) => ({ HTTP_URL: at(http), LAMBDA_URL: at(lambda) });

/** The names of all ports. */
export const portNames: readonly PortName[] = portList.map(({ name }) => name);

/**
 * The ports of the list or of the environment.
 *
 * @throws StackError when a variable is not a port.
 */
export function givenPorts(env: Record<string, string | undefined>): Ports {
  const chosen = portList.map(({ name, port, variable }) => [name, portFrom(variable, env, port)]);
  return Object.fromEntries(chosen) as Ports;
}

/**
 * Checks ports before anything is started, because each program reports a busy port differently, if at all.
 *
 * @throws StackError that names every busy port, and the variables that choose others.
 */
export async function assertPortsFree(ports: Ports, names: readonly PortName[]): Promise<void> {
  const wanted = portList.filter(({ name }) => names.includes(name));
  const busy: typeof wanted = [];
  for (const each of wanted) if (!(await isFree(ports[each.name]))) busy.push(each);
  if (busy.length === 0) return;
  const list = busy.map(({ name, what }) => `${ports[name]} (${what})`).join(', ');
  const variables = busy.map(({ variable }) => variable).join(', ');
  throw new StackError(
    `port ${list} is in use by another program: stop it, or choose another port with ${variables}`,
  );
}

/**
 * The ports of the parts that are started here.
 *
 * @param given the user's own parts, as the environment names them.
 * @param functions what runs the functions, if they run.
 * @param board whether the board is served.
 */
export function neededPorts(
  given: Record<string, string | undefined>,
  functions: 'dev' | 'offline' | undefined,
  board = false,
): PortName[] {
  return [
    ...(functions ? (['http'] as const) : []),
    ...(functions === 'offline' ? (['lambda'] as const) : []),
    ...(board && !given['BOARD_URL'] ? (['board'] as const) : []),
    ...(given['AMQP_URL'] ? [] : (['amqp', 'management', 'erlang', 'epmd'] as const)),
    ...(given['DATABASE_URL'] ? [] : (['database'] as const)),
    ...(given['S3_ENDPOINT'] ? [] : (['s3'] as const)),
    ...(given['SMTP_URL'] ? [] : (['smtp', 'mailbox'] as const)),
  ];
}

function portFrom(variable: string, env: Record<string, string | undefined>, fallback: number): number {
  const text = env[variable];
  if (!text) return fallback;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new StackError(`${variable}: expected a port from 1 to 65535, got "${text}"`);
  }
  return port;
}
