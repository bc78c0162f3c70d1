/** Resizes as in production, and a picture named `deadly` ends the process as one that takes all its memory would. */
import { brokerSettings } from 'warren/functions';
import { createHandler } from '../../functions/pictures/resize.ts';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import { databaseSettings } from '../../shared/database/resource.ts';
import { storageSettings } from '../../shared/storage/settings.ts';
import { createStorage } from '../../shared/storage/storage.ts';

const config = readSettings({ broker: brokerSettings, database: databaseSettings, storage: storageSettings });
const storage = createStorage(config.storage);

const get: typeof storage.get = async (key, limit) => {
  if (key.includes('deadly')) process.kill(process.pid, 'SIGKILL');
  return storage.get(key, limit);
};

export const handler = createHandler({
  db: connectDatabase({ url: config.database.DATABASE_URL, name: 'deadly' }),
  storage: { ...storage, get },
  publisher: new Publisher({ url: config.broker.AMQP_URL, name: 'deadly' }),
});
