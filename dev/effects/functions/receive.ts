/**
 * Triggered by the queue `shipped`: records each delivery of a message that the tutorial's function published, and has an effect for
 * the message, once.
 */
import { Effects, pgDatabase } from 'warren/effects';
import { lambda, onMessages, publisher } from 'warren/functions';
import { z } from 'zod';
import { pool } from './pool.ts';

const schema = z.object({ city: z.string() });

export const handler = lambda({ pool, publisher }, ({ pool, publisher }) => {
  const effects = new Effects({ database: pgDatabase(pool) });
  return onMessages({ schema, publisher }, async (message) => {
    const { city } = message.body;
    await pool.query('insert into deliveries values ($1, $2)', [city, message.messageId]);
    await effects.once(message, ({ db }) => db.query('insert into receipts values ($1)', [city]));
  });
});
