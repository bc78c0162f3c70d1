// Each measurement of effects.mjs: a function with a means of `warren/effects` or `warren/claims`, and the same without it.
import { body } from './shared.mjs';

const insert = 'insert into parcels values ($1)';
const insertMany = 'insert into parcels select unnest($1::text[])';

/** Runs each message on its own, and counts it. */
const each = (work) => (parts) => {
  const { onMessages, silentLog: log, publisher, one } = parts;
  return onMessages({ publisher, log }, async (message) => {
    await work(message, parts);
    one();
  });
};

/** Runs a batch as a whole. */
const whole = (work) => (parts) => {
  const { onBatch, silentLog: log, publisher, one } = parts;
  return onBatch({ publisher, log }, async (messages) => {
    await work(messages, parts);
    for (const _ of messages) one();
  });
};

const names = (messages) => [messages.map(({ messageId }) => messageId)];
const shipped = (target, messageId) => ({ exchange: '', routingKey: target, messageId, body: { messageId } });
const many = { body: body(1), count: 1500, warmUp: 300 };
/** About one megabyte of JSON. */
const large = { body: { ...body(1), note: 'x'.repeat(1_000_000) }, count: 120, warmUp: 20 };

/** A function that reads a large body, and the publisher of it. */
const reads = (given) =>
  function read({ onMessages, silentLog: log, publisher, one, claims }) {
    const options = { publisher, log, maxBytes: 2_000_000, ...(given && { claims }) };
    return onMessages(options, async ({ body: { note } }) => {
      if (note.length === 1_000_000) one();
    });
  };
const plain = { handler: reads(false), publish: ({ publisher }) => publisher };
const claimed = {
  handler: reads(true),
  publish: ({ publisher, claims, withClaims }) => withClaims(publisher, { claims }),
};

export const effectCases = [
  {
    title: '`once`, a row',
    batchSizes: [1, 100],
    ...many,
    without: { handler: each(({ messageId }, { pool }) => pool.query(insert, [messageId])) },
    with: {
      handler: each((message, { effects }) =>
        effects.once(message, ({ db }) => db.query(insert, [message.messageId])),
      ),
    },
  },
  {
    title: '`onceEach`, a row for each message',
    batchSizes: [100],
    ...many,
    without: { handler: whole((messages, { pool }) => pool.query(insertMany, names(messages))) },
    with: {
      handler: whole((messages, { effects }) =>
        effects.onceEach(messages, ({ db }, fresh) => db.query(insertMany, names(fresh))),
      ),
    },
  },
  {
    title: 'outbox, in `once`',
    batchSizes: [1, 100],
    ...many,
    without: {
      handler: each(async (message, { effects, publisher, target }) => {
        await effects.once(message, ({ db }) => db.query(insert, [message.messageId]));
        await publisher.publish(shipped(target, message.messageId));
      }),
    },
    with: {
      handler: each((message, { effects, target }) =>
        effects.once(message, async ({ db, publish }) => {
          await db.query(insert, [message.messageId]);
          publish(shipped(target, message.messageId));
        }),
      ),
    },
  },
  {
    title: 'outbox, in `onceEach`',
    batchSizes: [100],
    ...many,
    without: {
      handler: whole(async (messages, { effects, publisher, target }) => {
        await effects.onceEach(messages, ({ db }, fresh) => db.query(insertMany, names(fresh)));
        await Promise.all(messages.map(({ messageId }) => publisher.publish(shipped(target, messageId))));
      }),
    },
    with: {
      handler: whole((messages, { effects, target }) =>
        effects.onceEach(messages, async ({ db, publish }, fresh) => {
          await db.query(insertMany, names(fresh));
          for (const { messageId } of fresh) publish(shipped(target, messageId));
        }),
      ),
    },
  },
  {
    title: '`leased`, no effect',
    batchSizes: [1, 100],
    ...many,
    without: { handler: each(async () => undefined) },
    with: { handler: each(({ messageId }, { effects }) => effects.leased(messageId, async () => undefined)) },
  },
  {
    title: 'claim check, publishing 1 MB, 10 at a time',
    measured: 'publishMs',
    batchSizes: [10],
    ...large,
    without: plain,
    with: claimed,
  },
  {
    title: 'claim check, consuming 1 MB',
    batchSizes: [10],
    ...large,
    without: plain,
    with: claimed,
  },
];
