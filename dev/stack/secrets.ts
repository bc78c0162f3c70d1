import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { StackError } from '../../runtime/local/stack-error.ts';

const generate = () => randomBytes(24).toString('base64url');

const shape = z.object({
  broker: z.string().min(16).default(generate),
  erlangCookie: z.string().min(16).default(generate),
  database: z.string().min(16).default(generate),
  storage: z.string().min(16).default(generate),
  jwt: z.string().min(32).default(generate),
  unsubscribe: z.string().min(32).default(generate),
});

/** Passwords and keys of the parts we start; made once and kept, so that a second start finds its data. */
export type Secrets = z.output<typeof shape>;

/**
 * Reads the data folder's secrets, and makes those that are missing.
 *
 * @param dataDir an existing folder.
 * @throws StackError when the file is there and is not ours.
 */
export async function keepSecrets(dataDir: string): Promise<Secrets> {
  const path = join(dataDir, 'secrets.json');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{}';
    throw error;
  });
  const secrets = parse(text);
  if (!secrets) {
    throw new StackError(
      `${path}: expected the JSON that an earlier start wrote; remove the data folder to start anew`,
    );
  }
  await writeFile(path, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
  return secrets;
}

function parse(text: string): Secrets | undefined {
  try {
    return shape.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
