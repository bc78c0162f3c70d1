import type { StackContext } from './context.ts';

/** What a user may set for parts of their own. */
const names = [
  'AMQP_URL',
  'DATABASE_URL',
  'S3_ENDPOINT',
  'SMTP_URL',
  'PUBLIC_URL',
  'UNSUBSCRIBE_SECRET',
] as const;

/**
 * Checks what a user has set, before anything is started. Loads the settings of the parts, which take seconds, only if there is something.
 *
 * @throws WarrenError ERR_CONFIG that lists all values of the wrong form.
 */
export async function checkGiven(given: StackContext['given']): Promise<void> {
  const set = names.filter((name) => given[name]);
  if (set.length === 0) return;
  const [{ givenSettings }, { readSettings }, { defaultBucket }] = await Promise.all([
    import('./given-settings.ts'),
    import('../../runtime/settings/read.ts'),
    import('./storage.ts'),
  ]);
  const sections = Object.fromEntries(set.map((name) => [name, givenSettings[name]]));
  readSettings(sections, { S3_BUCKET: defaultBucket, ...given });
}
