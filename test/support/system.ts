import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import type { FunctionsHost } from '../../dev/stack/functions.ts';
import { startStack } from '../../dev/stack/stack.ts';
import type { StackEnv } from '../../dev/stack/stack-env.ts';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { RpcClient } from '../../runtime/amqp/rpc-client.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { basicAuthorization } from '../../runtime/topology/management.ts';
import { mintToken, scopes } from '../../shared/auth/tokens.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import type { Database } from '../../shared/database/schema.ts';
import { storageSettings } from '../../shared/storage/settings.ts';
import { createStorage, type Storage } from '../../shared/storage/storage.ts';
import { type ReceivedMail, readMails } from './mailbox.ts';

/** A stack of its own, functions and all, and what a test needs to look at it from outside. */
export interface System {
  dataDir: string;
  env: StackEnv;
  db: Kysely<Database>;
  storage: Storage;
  publisher: Publisher;
  rpc: RpcClient;
  /** A request with a token of that user. */
  http(path: string, init?: RequestInit, user?: string): Promise<Response>;
  /** All that the mailbox holds. */
  mails(): Promise<ReceivedMail[]>;
  /** How many messages are in all queues, handed out or not. */
  waiting(): Promise<number>;
  stop(): Promise<void>;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
}

/**
 * @param folder data of an earlier system; default a new folder, separate from the one of `npm start`.
 * @param host what runs the functions.
 * @param board whether to serve the board, default false.
 */
export async function startSystem(
  folder?: string,
  host: FunctionsHost = 'offline',
  board = false,
): Promise<System> {
  const dataDir = folder ?? (await mkdtemp(join(tmpdir(), 'warren-e2e-')));
  const { env, stop: stopStack } = await startStack({
    dataDir,
    ports: 'free',
    functions: host,
    board,
    given: { WARREN_STORAGE: process.env['WARREN_STORAGE'] || 's3rver' },
    report: () => undefined,
  });
  const db = connectDatabase({ url: env.DATABASE_URL, name: 'e2e test' });
  const publisher = new Publisher({ url: env.AMQP_URL, name: 'e2e test' });
  const rpc = new RpcClient({ url: env.AMQP_URL, name: 'e2e test' });
  let stopping: Promise<unknown> | undefined;
  const stop = async () => {
    stopping ??= Promise.all([db.destroy(), publisher.close(), rpc.close()]).finally(stopStack);
    await stopping;
  };
  return {
    dataDir,
    env,
    db,
    publisher,
    rpc,
    storage: createStorage(readSettings({ storage: storageSettings }, env).storage),
    async http(path, init = {}, user = '1') {
      const token = await mintToken({ secret: env.AUTH_JWT_SECRET, sub: user, scopes, expiresInSeconds: 60 });
      const headers = { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) };
      return fetch(new URL(path, env.HTTP_URL), { ...init, headers });
    },
    mails: () => readMails(env.MAILBOX_URL),
    async waiting() {
      const { origin } = new URL(env.AMQP_MANAGEMENT_URL);
      const authorization = basicAuthorization(env.AMQP_MANAGEMENT_URL);
      const response = await fetch(`${origin}/api/queues/%2F`, { headers: { authorization } });
      const queues = (await response.json()) as { messages?: number; type: string }[];
      // A stream keeps its messages.
      return queues
        .filter(({ type }) => type !== 'stream')
        .reduce((sum, { messages = 0 }) => sum + messages, 0);
    },
    stop,
    async remove() {
      await stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
