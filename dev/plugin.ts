import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { mintToken, scopes } from '../shared/auth/tokens.ts';
import { readEnvFile, readStackEnv } from './stack/read-stack-env.ts';

type Environment = Record<string, unknown>;

/** The parts of the serverless CLI's object that this plugin reads. */
interface Serverless {
  serviceDir?: string;
  config?: { servicePath?: string };
  processedInput?: { commands?: string[] };
  service: {
    functions: Record<string, { environment?: Environment }>;
    provider: { environment?: Environment };
    custom?: { 'serverless-offline'?: object };
  };
}

interface Options {
  /** The event of `invoke local`. */
  data?: unknown;
}

/** In a sample event, the place of a caller's token: a real one would have expired long ago. */
const tokenOf = /^Bearer <token of user (\d+)>$/;

/**
 * Connects `serverless offline` and `serverless invoke local` to the stack that `npm start` runs in this folder. It plays no
 * part in a deployment.
 */
export default class DevelopmentPlugin {
  readonly hooks: Record<string, () => Promise<void> | void>;
  readonly #serverless: Serverless;
  readonly #options: Options;

  constructor(serverless: Serverless, options: Options) {
    this.#serverless = serverless;
    this.#options = options;
    this.hooks = {
      initialize: () => this.#joinStack(),
      'before:offline:start:init': () => this.#waitForParts(),
      'before:invoke:local:invoke': () => this.#signIn(),
    };
  }

  /** Fills in what the environment leaves open with the addresses of the stack. */
  #joinStack(): void {
    const [command, sub] = this.#serverless.processedInput?.commands ?? [];
    if (command !== 'offline' && !(command === 'invoke' && sub === 'local')) return;
    // The warning is about Node 20, on which these commands run; their user cannot act on it.
    process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
    if (stackFile()) {
      this.#takeBundles();
      return;
    }
    const folder = this.#serverless.serviceDir ?? this.#serverless.config?.servicePath ?? '.';
    this.#fillIn(readStackEnv(join(folder, process.env['WARREN_DATA'] ?? '.data')));
  }

  #fillIn(stack: Record<string, string | undefined>): void {
    const { provider, functions } = this.#serverless.service;
    for (const [name, value] of Object.entries(stack)) process.env[name] ||= value;
    fillIn(provider.environment);
    for (const { environment } of Object.values(functions)) fillIn(environment);
  }

  /** `npm start` bundles all functions at once. serverless-esbuild would need 20 seconds, and run npm for the external packages. */
  #takeBundles(): void {
    const location = process.env['WARREN_BUILD_FOLDER'];
    const { custom = {} } = this.#serverless.service;
    custom['serverless-offline'] = { ...custom['serverless-offline'], location };
  }

  /** `npm start` starts this program beside the parts, and writes their addresses to a file when they are up. */
  async #waitForParts(): Promise<void> {
    const file = stackFile();
    if (!file) return;
    let env = readEnvFile(file);
    for (; !env; env = readEnvFile(file)) await pause(50);
    this.#fillIn(env);
  }

  /** Puts a fresh token of the local stack into a sample event that specifies whose token it needs. */
  async #signIn(): Promise<void> {
    const { headers } = (this.#options.data ?? {}) as { headers?: Record<string, string> };
    const [, sub] = tokenOf.exec(headers?.['authorization'] ?? '') ?? [];
    const secret = process.env['AUTH_JWT_SECRET'];
    if (!headers || !sub || !secret) return;
    headers['authorization'] = `Bearer ${await mintToken({ secret, sub, scopes, expiresInSeconds: 60 })}`;
  }
}

/** File that `npm start` writes; undefined if this program was not started by it. */
const stackFile = () => process.env['WARREN_STACK_FILE'];

/** An empty variable in serverless.yml gets its value from the process. */
function fillIn(environment: Environment | undefined): void {
  for (const [name, value] of Object.entries(environment ?? {})) {
    if (environment && value === '' && process.env[name]) environment[name] = process.env[name];
  }
}
