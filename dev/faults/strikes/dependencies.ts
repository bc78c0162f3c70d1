import { type Fault, seconds, writing } from '../fault.ts';

/** How long functions wait for the database once a mail is sent, in seconds, less some for a busy machine. */
const waitedFor = 35;

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
];
