import { execFile } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { StackError } from '../stack-error.ts';

/** Who PostgreSQL runs as. */
export interface Account {
  /** Owner of the files; undefined: the current user. */
  owner?: { uid: number; gid: number };
  /** Goes before a command to run it as that user. */
  prefix: string[];
  /** Text to show to the user; may be empty. */
  text: string;
}

/**
 * PostgreSQL refuses to run as root: then the user `postgres`, or `nobody`, takes it over.
 *
 * @param paths what that user has to get at; folders that don't exist yet are fine.
 * @throws StackError when root has no way to hand it over.
 */
export async function postgresAccount(paths: readonly string[]): Promise<Account> {
  if (process.getuid?.() !== 0) return { prefix: [], text: '' };
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const found = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  if (!found) {
    throw new StackError('PostgreSQL does not run as root, and there is no user "postgres" to run it');
  }
  const [uid, gid] = [Number(found[2]), Number(found[3])];
  const prefix = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  const text = ` as user ${found[0]}, since it refuses to run as root`;
  const closed = paths.map(closedFolder).find((folder) => folder !== undefined);
  // Example: a clone in root's own home. This one right lets the user pass, and gives it nothing to write.
  if (closed) prefix.push('--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search');
  try {
    await promisify(execFile)(prefix[0] as string, [...prefix.slice(1), 'true']);
  } catch (cause) {
    throw new StackError(
      `PostgreSQL refuses to run as root, and setpriv can't hand ${closed ?? 'it'} over to user ${found[0]}: run this as another user, or set DATABASE_URL`,
      { cause },
    );
  }
  return { owner: { uid, gid }, prefix, text: closed ? `${text}, with the right to pass ${closed}` : text };
}

/** The first folder on the way to a path that other users may not enter. */
function closedFolder(path: string): string | undefined {
  const parent = dirname(path);
  const above = parent === path ? undefined : closedFolder(parent);
  if (above || !existsSync(path)) return above;
  const { mode } = statSync(path);
  return statSync(path).isDirectory() && (mode & 0o001) === 0 ? path : undefined;
}
