/** Runs the long poll once, as Lambda does, with the mappings and the addresses of the environment. */
import { createHandler } from '../../functions/operations/poll-queues.ts';
import { createLog } from '../../runtime/base/log.ts';
import { readPolledMappings } from '../../runtime/hosts/long-poll.ts';

const { AMQP_URL: url = '', LAMBDA_URL: endpoint } = process.env;
const log = createLog({ LOG_LEVEL: 'info', host: 'long poll' });
const end = performance.now() + Number(process.argv[2]);
const poll = createHandler({ broker: { url }, endpoint, mappings: readPolledMappings(), log });
console.log(JSON.stringify({ msg: 'long poll begins' }));
const result = await poll({}, { getRemainingTimeInMillis: () => end - performance.now() });
console.log(JSON.stringify({ msg: 'long poll ended', ...result }));
// The test reads the memory of this process, and ends it.
setInterval(() => undefined, 60_000);
