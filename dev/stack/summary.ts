import { relative } from 'node:path';
import pc from 'picocolors';
import { parseAddresses } from '../../runtime/amqp/address.ts';
import { mintToken, scopes } from '../../shared/auth/tokens.ts';
import type { FunctionsHost } from './functions.ts';
import { projectFile } from './project.ts';
import type { StackEnv } from './stack-env.ts';

const hours = 12;

/**
 * What a person needs to know when the stack is up.
 *
 * @param settings `folder` is the data folder as the person would type it; `seconds` is how long the start took.
 */
export async function summary(settings: {
  env: StackEnv;
  folder: string;
  functions: FunctionsHost | undefined;
  seconds: number;
}): Promise<string> {
  const { env, folder, functions, seconds } = settings;
  const rows: [string, string][] = [
    ['Mailbox', env.MAILBOX_URL || '(your own mail server)'],
    ['RabbitMQ', brokerText(env.AMQP_URL)],
    ['  management', managementText(env, folder)],
    ['Storage', `${env.S3_ENDPOINT}, bucket ${env.S3_BUCKET}`],
    ['PostgreSQL', withoutLogin(env.DATABASE_URL)],
    ['Addresses, keys', `${folder}/stack.env`],
  ];
  if (functions === 'offline') rows.unshift(['Lambda API', env.LAMBDA_URL]);
  if (functions)
    rows.unshift(['Page', `${env.HTTP_URL}/`], ['Board', env.BOARD_URL], ['HTTP functions', env.HTTP_URL]);
  const lines = rows.map(([name, text]) => `  ${name.padEnd(16)} ${text}`);
  if (functions) lines.push('', ...(await firstSteps(env)));
  return [
    '',
    pc.bold(`Warren is up after ${seconds.toFixed(1)} s.`),
    ...lines,
    '',
    'Ctrl-C ends it.',
    '',
  ].join('\n');
}

async function firstSteps(env: StackEnv): Promise<string[]> {
  const token = await mintToken({
    secret: env.AUTH_JWT_SECRET,
    sub: '1',
    scopes,
    expiresInSeconds: hours * 3600,
  });
  const picture = relative('.', projectFile('assets/demo.jpg'));
  return [
    `  A token for user 1, good for ${hours} hours:`,
    `  ${token}`,
    '',
    '  Upload a picture:',
    `  curl -F picture=@${picture} -H 'Authorization: Bearer ${token}' ${env.HTTP_URL}/pictures`,
  ];
}

function managementText(env: StackEnv, folder: string): string {
  if (!env.AMQP_MANAGEMENT_URL) return '(not known: AMQP_MANAGEMENT_URL is not set)';
  const { username } = new URL(env.AMQP_MANAGEMENT_URL);
  return `${withoutLogin(env.AMQP_MANAGEMENT_URL)}, user ${username}, password in ${folder}/stack.env`;
}

const brokerText = (url: string): string =>
  parseAddresses(url)
    .map(({ secure, label }) => `${secure ? 'amqps' : 'amqp'}://${label}`)
    .join(', ');

function withoutLogin(text: string): string {
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}
