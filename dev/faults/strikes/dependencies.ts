import { sql } from 'kysely';
import { type Fault, seconds, writing } from '../fault.ts';

/** How long functions wait for the database once a mail is sent, in seconds, less some for a busy machine. */
const waitedFor = 35;

/** More than all waits between the tries of a failed message, in seconds: only an unavailable dependency is retried for longer. */
const longerThanRetries = 14;

const body = '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>';
const forbidden = Buffer.from(
  `HTTP/1.1 403 Forbidden\r\ncontent-type: application/xml\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
);

const unavailable = (part: 'storage' | 'database' | 'mail', mayDouble?: Fault['mayDouble']): Fault => ({
  name: `${part} unavailable`,
  takes: (away) => away,
  ...(mayDouble && { mayDouble }),
  async strike({ parts, away }) {
    await parts.links[part].close();
    await seconds(away);
    await parts.links[part].open();
  },
});

/** Faults of the database, the storage and the mail server, and of the ways to them. */
export const dependencyFaults: readonly Fault[] = [
  unavailable('storage'),
  unavailable('database', (away) => (away > waitedFor ? waitedFor * 1000 : undefined)),
  unavailable('mail', () => writing),
  {
    // Sent data may have arrived or not; the sender gets no answer.
    name: "all connections except the broker's frozen",
    takes: () => 15,
    mayDouble: () => writing,
    async strike({ parts: { links } }) {
      const others = [links.database, links.storage, links.mail];
      for (const link of others) link.freeze();
      await seconds(15);
      for (const link of others) link.cut();
    },
  },
  {
    name: 'storage hangs: it accepts connections and never answers',
    takes: () => longerThanRetries,
    async strike({ parts: { links } }) {
      links.storage.hang(true);
      await seconds(longerThanRetries);
      links.storage.hang(false);
    },
  },
  {
    // A rotated key, an expired token, a clock that is wrong.
    name: 'storage answers 403',
    takes: () => longerThanRetries,
    refuses: true,
    async strike({ parts: { links } }) {
      links.storage.answer(forbidden);
      await seconds(longerThanRetries);
      links.storage.answer(undefined);
    },
  },
  {
    // As after a failover: the sessions that were opened meanwhile stay read-only for as long as they live.
    name: 'database read-only',
    takes: () => longerThanRetries,
    refuses: true,
    async strike({ parts: { links }, db, unfelt }) {
      const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db);
      const name = sql.id(rows[0]?.name ?? '');
      await sql`alter database ${name} set default_transaction_read_only = on`.execute(db);
      links.database.cut();
      const before = links.database.opened;
      await seconds(longerThanRetries);
      // A function closes a session as soon as it finds it read-only, so that there may be none at any one moment.
      if (links.database.opened === before) unfelt('no function opened a session');
      await sql`alter database ${name} reset default_transaction_read_only`.execute(db);
    },
  },
];
