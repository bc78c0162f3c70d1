// The contestants of each measurement.

/** The limit that the other consumers are measured against: it acknowledges a hundred messages at once, and does nothing else. */
export const baseline = 'amqplib, 100 at once';

/** V8 compiles during the first 20,000 messages, and what is done once for each batch during some thousand batches. */
export const warmUpOf = (name) => (/batch 100?$/.test(name) ? 100_000 : 20_000);

const consumers = [
  baseline,
  'amqplib, one by one',
  'amqplib, read in one pass, 100 at once',
  'Warren, batch 1',
  'Warren, batch 10',
  'Warren, batch 100',
  'rabbitmq-client',
  'amqp-connection-manager',
  'rascal',
  '@nestjs/microservices',
  'amqp-client.js',
];
/** Three clients with the same plain server, then two clients with their own servers. */
const callers = [
  'amqplib, one reply queue',
  "Warren's client",
  'rabbitmq-client',
  "Warren's client and function",
  "rabbitmq-client's both",
];
const ours = consumers.slice(0, 6);
const quickCallers = callers.filter((name) => !name.startsWith('rabbitmq-client'));
const publishers = ['amqplib, confirm channel', 'Warren', 'rabbitmq-client', 'amqp-connection-manager'];

/**
 * Each contestant is compared with the first name, which runs twice per round to show the noise.
 */
export const cases = [
  {
    title: 'Consuming full messages',
    what: 'consume',
    kind: 'quorum',
    full: true,
    names: consumers,
    others: true,
    quick: true,
  },
  { title: 'Consuming empty messages', what: 'consume', kind: 'quorum', names: ours },
  {
    title: 'Consuming full messages from a classic queue',
    what: 'consume',
    kind: 'classic',
    full: true,
    names: ours,
  },
  { title: 'RPC, one after the other', what: 'rpc', atATime: 1, names: callers },
  { title: 'RPC, 50 at a time', what: 'rpc', atATime: 50, names: callers, quick: true },
  {
    title: 'Publishing with confirms, 500 outstanding',
    what: 'publish',
    kind: 'quorum',
    atATime: 500,
    names: publishers,
  },
];

/** The cases of a run of about three minutes. */
export const quickCases = cases
  .filter(({ quick }) => quick)
  .map((each) => ({ ...each, names: each.what === 'rpc' ? quickCallers : ours }));
