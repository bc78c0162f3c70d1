import { createHash } from 'node:crypto';

/** Short name for a data folder, which a file of its stack outside of the folder has in its own name. */
export const folderKey = (dataDir: string): string =>
  createHash('sha256').update(dataDir).digest('hex').slice(0, 8);
