import { migrateToLatest } from './migrate.ts';
import { grantFunctions } from './role.ts';
import { isRdsIam } from './target.ts';

/**
 * Runs the migrations that have not run, and gives logins of functions their rights. The owner's own login stays as it is, and so does one
 * without a password that RDS does not know by IAM.
 *
 * @param url PostgreSQL URL of the owner of the tables.
 * @param logins PostgreSQL URLs of functions.
 * @returns the names of the migrations that ran.
 */
export async function prepareDatabase(url: string, logins: readonly string[]): Promise<string[]> {
  const ran = await migrateToLatest(url);
  const owner = new URL(url).username;
  const others = logins.filter((login) => {
    const { username, password } = new URL(login);
    return (password !== '' || isRdsIam(login)) && username !== owner;
  });
  for (const login of others) await grantFunctions(url, login);
  return ran;
}
