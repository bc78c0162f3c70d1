// The contestants of each measurement.

/** The contestant that the other consumers are measured against. */
export const baseline = 'amqplib, one by one';

const consumers = [
  baseline,
  'amqplib, 100 at once',
  'Warren, batch 1',
  'Warren, batch 10',
  'Warren, batch 100',
  'rabbitmq-client',
  'amqp-connection-manager',
  'rascal',
  '@nestjs/microservices',
];
/** Three clients with the same plain server, then two clients with their own servers. */
const callers = [
  'amqplib, one reply queue',
  "Warren's client",
  'rabbitmq-client',
  "Warren's client and function",
  "rabbitmq-client's both",
];
const publishers = ['amqplib, confirm channel', 'Warren', 'rabbitmq-client', 'amqp-connection-manager'];

/** Each contestant is compared with the first name, which runs twice per round to show the noise. */
export const cases = [
  { title: 'Consuming from a quorum queue', what: 'consume', kind: 'quorum', names: consumers },
  { title: 'Consuming from a classic queue', what: 'consume', kind: 'classic', names: consumers.slice(0, 5) },
  { title: 'RPC, one after the other', what: 'rpc', atATime: 1, names: callers },
  { title: 'RPC, 50 at a time', what: 'rpc', atATime: 50, names: callers },
  {
    title: 'Publishing with confirms, 500 outstanding',
    what: 'publish',
    kind: 'quorum',
    atATime: 500,
    names: publishers,
  },
];
