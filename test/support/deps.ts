import { randomInt } from 'node:crypto';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { authenticateUsers } from '../../shared/auth/identities.ts';
import { authSettings } from '../../shared/auth/settings.ts';
import { createAuthenticate, mintToken, scopes } from '../../shared/auth/tokens.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import { createMailer, mailSettings } from '../../shared/delivery/mail.ts';
import { storageSettings } from '../../shared/storage/settings.ts';
import { createStorage } from '../../shared/storage/storage.ts';
import { linkSettings, unsubscribeSettings } from '../../shared/users/resources.ts';
import { createUnsubscribeTokens, unsubscribeUrl } from '../../shared/users/unsubscribe.ts';
import { unique } from './broker.ts';
import { stack } from './stack.ts';

/** What a function is made of in production, on the parts of this run. */
export function openDeps() {
  const name = unique('deps');
  const config = readSettings(
    {
      storage: storageSettings,
      mail: mailSettings,
      auth: authSettings,
      unsubscribe: unsubscribeSettings,
      links: linkSettings,
    },
    stack,
  );
  const tokens = createUnsubscribeTokens(config.unsubscribe.UNSUBSCRIBE_SECRET);
  const db = connectDatabase({ url: stack.DATABASE_URL, name });
  const publisher = new Publisher({ url: stack.AMQP_URL, name });
  return {
    db,
    publisher,
    storage: createStorage(config.storage),
    mailer: createMailer(config.mail),
    authenticate: authenticateUsers(createAuthenticate(config.auth), db),
    tokens,
    // A mail for each picture.
    digest: { perDay: 100_000, interval: 0 },
    unsubscribeLink: async (userId: number) =>
      unsubscribeUrl(config.links.PUBLIC_URL, await tokens.sign(userId)),
    close: () => Promise.all([db.destroy(), publisher.close()]),
  };
}

/** An id that no other test uses: a picture's or a user's. */
export const uniqueId = (): number => randomInt(1_000_000, 999_999_999);

/** The header of a caller; by default one who may do everything. */
export async function bearer(user: number, granted: readonly string[] = scopes, expiresInSeconds = 60) {
  const secret = stack.AUTH_JWT_SECRET;
  return `Bearer ${await mintToken({ secret, sub: String(user), scopes: granted, expiresInSeconds })}`;
}
