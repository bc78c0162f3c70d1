import { canLogIn } from '../../../runtime/local/rabbitmq-node.ts';
import { type Fault, type Scene, seconds, writing } from '../fault.ts';

/** A node of a cluster stays unavailable for a while, and the others go on without it; a broker of one node comes right back. */
const nodeAway = (nodes: number, otherwise: number) => seconds(nodes > 1 ? 20 : otherwise);

/** Suspends the process that writes the log of all quorum queues; it goes on when the suspending process ends. */
const stallDisk = (ms: number) => `
  [Log] = [Name || Name <- [ra_log_wal], whereis(Name) =/= undefined],
  spawn(fun() -> erlang:suspend_process(whereis(Log)), timer:sleep(${ms}) end), ok.`;

const login = (scene: Scene) => canLogIn(scene.parts.direct.AMQP_URL, 'faults: probe');

/** Faults of the broker, and of the way to it. */
export const brokerFaults: readonly Fault[] = [
  {
    name: 'broker stopped, started',
    takes: () => 9,
    redelivers: true,
    takesNode: true,
    async strike({ parts: { broker }, nodes }) {
      await broker.stop();
      await nodeAway(nodes, 2);
      await broker.start();
    },
  },
  {
    name: 'broker killed (SIGKILL)',
    takes: () => 6,
    redelivers: true,
    takesNode: true,
    async strike({ parts: { broker }, nodes }) {
      await broker.kill();
      await nodeAway(nodes, 0);
      await broker.start();
    },
  },
  {
    name: 'all connections cut',
    takes: () => 1,
    mayDouble: () => writing,
    redelivers: true,
    async strike({ parts }) {
      for (const link of Object.values(parts.links)) link.cut();
    },
  },
  {
    name: "broker's connections frozen",
    takes: () => 15,
    confirmsNothing: true,
    redelivers: true,
    async strike({ parts: { links } }) {
      links.broker.freeze();
      await seconds(15);
      links.broker.cut();
    },
  },
  {
    name: 'everything slow (200 ms)',
    takes: () => 10,
    async strike({ parts }) {
      for (const link of Object.values(parts.links)) link.slow(200);
      await seconds(10);
      for (const link of Object.values(parts.links)) link.slow(0);
    },
  },
  {
    name: 'publishers blocked (memory alarm)',
    takes: () => 11,
    confirmsNothing: true,
    refuses: true,
    async strike({ parts: { broker } }) {
      await broker.control('set_vm_memory_high_watermark', 'absolute', '1000');
      await seconds(10);
      await broker.control('set_vm_memory_high_watermark', '0.6');
    },
  },
  {
    // The mail server hangs for longer than the broker waits for an acknowledgement. New channels take the new limit.
    name: 'acknowledgements too late',
    takes: () => 21,
    mayDouble: () => writing,
    redelivers: true,
    async strike({ parts: { broker, links } }) {
      const limit = (ms: number) =>
        broker.control('eval', `application:set_env(rabbit, consumer_timeout, ${ms}).`);
      await limit(4000);
      links.broker.cut();
      links.mail.slow(8000);
      await seconds(20);
      links.mail.slow(0);
      links.mail.cut();
      await limit(1_800_000);
      links.broker.cut();
    },
  },
  {
    name: 'publishers blocked (disk alarm)',
    takes: () => 11,
    confirmsNothing: true,
    refuses: true,
    async strike({ parts: { broker } }) {
      await broker.control('set_disk_free_limit', '1000000GB');
      await seconds(10);
      await broker.control('set_disk_free_limit', '50MB');
    },
  },
  {
    name: "broker's disk stalled",
    takes: () => 21,
    confirmsNothing: true,
    redelivers: true,
    refuses: true,
    async strike({ parts: { broker } }) {
      await broker.control('eval', stallDisk(20_000));
      // A publish waits up to 10 s for its confirm, and tries again.
      await seconds(20);
    },
  },
  {
    name: 'broker stalled (SIGSTOP)',
    takes: () => 12,
    confirmsNothing: true,
    redelivers: true,
    refuses: true,
    async strike({ parts: { broker } }) {
      broker.signal('SIGSTOP');
      await seconds(12);
      broker.signal('SIGCONT');
    },
  },
  {
    // Requests arrive, answers do not: acknowledgements are taken, deliveries and confirms are lost.
    name: "broker's answers lost (one-way partition)",
    takes: () => 15,
    confirmsNothing: true,
    redelivers: true,
    async strike({ parts: { links } }) {
      links.broker.freezeAnswers();
      await seconds(15);
      links.broker.cut();
    },
  },
  {
    name: "broker's password rotated",
    takes: () => 12,
    redelivers: true,
    refuses: true,
    async strike(scene) {
      const { broker, links, direct } = scene.parts;
      const { username, password } = new URL(direct.AMQP_URL.split(',')[0] as string);
      await broker.control('change_password', username, 'another');
      // Open connections stay valid.
      links.broker.cut();
      if (await login(scene).catch(() => false)) scene.unfelt('the old password was still valid');
      await seconds(10);
      await broker.control('change_password', username, password);
    },
  },
  {
    name: 'majority of the nodes lost',
    takes: () => 25,
    confirmsNothing: true,
    nodes: 3,
    redelivers: true,
    refuses: true,
    async strike({ parts: { broker } }) {
      await broker.kill();
      await broker.kill();
      await seconds(15);
      await broker.start();
    },
  },
];
