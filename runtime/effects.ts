/** Effects that happen once: inbox, outbox and leases on the user's PostgreSQL database. */
export {
  type DrizzleLike,
  drizzleDatabase,
  type EffectsDatabase,
  type KyselyLike,
  kyselyDatabase,
  type PgClient,
  type PgPool,
  type PrismaLike,
  pgDatabase,
  prismaDatabase,
  type Row,
  type Statement,
} from './effects/database.ts';
export { Effects, type EffectsOptions } from './effects/effects.ts';
export type { Identified, OnceEachOptions, OnceOptions } from './effects/inbox.ts';
export { LeasedError, type LeaseOptions } from './effects/lease.ts';
export type { EffectContext } from './effects/outbox.ts';
export { leasedBy, type PersistenceLike } from './effects/persistence.ts';
export { createEffectsTables, effectsTables } from './effects/tables.ts';
