/**
 * A process that works on one request with the real parts of the environment, and kills itself (SIGKILL) at a step of it:
 * `dying.ts <upload or complete> <step>`, the event as JSON on standard input.
 */

import { text } from 'node:stream/consumers';
import { brokerSettings } from 'warren/functions';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import type { HttpEvent } from '../../runtime/http/function.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { authenticateUsers } from '../../shared/auth/identities.ts';
import { authSettings } from '../../shared/auth/settings.ts';
import { createAuthenticate } from '../../shared/auth/tokens.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import { databaseSettings } from '../../shared/database/resource.ts';
import { storageSettings } from '../../shared/storage/settings.ts';
import { createStorage } from '../../shared/storage/storage.ts';
import { context } from './events.ts';

const [route = '', step = ''] = process.argv.slice(2);
const config = readSettings({
  broker: brokerSettings,
  database: databaseSettings,
  storage: storageSettings,
  auth: authSettings,
});
const name = 'dying test';

/** Around each call of a part's method: a step `before <method>` and one `after <method>`. */
function mortal<Part extends object>(part: Part): Part {
  return new Proxy(part, {
    get(target, method) {
      const value: unknown = Reflect.get(target, method);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        dieAt(`before ${String(method)}`);
        const result: unknown = await Reflect.apply(value, target, args);
        dieAt(`after ${String(method)}`);
        return result;
      };
    },
  });
}

function dieAt(reached: string): void {
  if (reached === step) process.kill(process.pid, 'SIGKILL');
}

const { createHandler } = (await import(`../../functions/pictures/${route}.ts`)) as {
  createHandler(deps: object): (event: HttpEvent, context: object) => Promise<{ statusCode?: number }>;
};
const db = connectDatabase({ url: config.database.DATABASE_URL, name });
const handle = createHandler({
  db,
  storage: mortal(createStorage(config.storage)),
  publisher: mortal(new Publisher({ url: config.broker.AMQP_URL, name })),
  authenticate: authenticateUsers(createAuthenticate(config.auth), db),
});
await handle(JSON.parse(await text(process.stdin)) as HttpEvent, context);
dieAt('before the answer');
// A step that is never reached must not look like one that was.
process.exit(1);
