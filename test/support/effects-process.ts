/** Has an effect whose message is stored and never published, and reports it: the test kills this process then. */
import pg from 'pg';
import { silentLog } from '../../runtime/base/log.ts';
import { pgDatabase } from '../../runtime/effects/database.ts';
import { Effects } from '../../runtime/effects/effects.ts';

const [url, messageId, queue = ''] = process.argv.slice(2);
const effects = new Effects({
  database: pgDatabase(new pg.Pool({ connectionString: url })),
  publisher: {
    publish: () => {
      process.stdout.write('committed\n');
      return new Promise(() => undefined);
    },
  },
  log: silentLog,
});
setInterval(() => undefined, 1000);
await effects.once({ queue: 'parcels', vhost: '/', messageId }, async ({ publish }) => {
  publish({ exchange: '', routingKey: queue, messageId, body: { parcel: messageId } });
});
