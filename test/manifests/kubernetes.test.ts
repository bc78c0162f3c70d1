import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectFile } from '../../dev/stack/project.ts';
import { passwordVariable } from '../../runtime/cli/broker-users.ts';
import { recipientVariables } from '../../shared/alerts/routes.ts';
import { readCompose } from '../support/compose.ts';
import {
  chartFolder,
  type KubernetesObject,
  type RenderedContainer,
  renderedFile,
  renderedHeader,
  renderedObjects,
} from '../support/helm/chart.ts';
import { schemaProblems, unknownFields } from '../support/helm/schemas.ts';

interface PodSpec {
  serviceAccountName: string;
  automountServiceAccountToken: boolean;
  terminationGracePeriodSeconds: number;
  securityContext: object;
  containers: [
    RenderedContainer & {
      ports: { name: string }[];
      securityContext: object;
      lifecycle?: { preStop: { sleep: { seconds: number } } };
    },
  ];
}
interface Manifest extends KubernetesObject {
  spec?: {
    template?: { metadata: { labels: Record<string, string> }; spec: PodSpec };
    minReplicaCount?: number;
    triggers?: { type: string; metadata: Record<string, string> }[];
    scaleTargetRef?: { name: string };
    [field: string]: unknown;
  };
}

interface Policy {
  podSelector: { matchLabels: Record<string, string> };
  policyTypes: string[];
  ingress?: { ports: { port: string }[] }[];
  egress: { ports: { port: number }[] }[];
}

/** The groups that run by default: all but the board. */
const readGroups = () => {
  const text = readFileSync(join(chartFolder, 'files/groups.yaml'), 'utf8');
  const { board: _, ...groups } = parse(text) as Record<
    string,
    { reaches: string[]; settings: Record<string, string> }
  >;
  return groups;
};

const mebibytesOf = (quantity: string) => {
  const [, count, unit] = /^(\d+)(Mi|Gi)$/.exec(quantity) ?? [];
  return Number(count) * (unit === 'Gi' ? 1024 : 1);
};

describe('the chart for Kubernetes', () => {
  const all = renderedObjects<Manifest>();

  const kinds = (kind: string) => all.filter((each) => each.kind === kind);
  const pods = () => [...kinds('Deployment'), ...kinds('Job')];
  const podOf = ({ spec }: Manifest) => spec?.template?.spec as PodSpec;
  const nameOf = ({ metadata }: Manifest) => metadata.name.replace('warren-', '');
  const drainOf = (pod: PodSpec) => {
    const { args } = pod.containers[0];
    return Number(args[args.indexOf('--drain') + 1]);
  };

  it('the rendered objects are those of the chart as it is now', async () => {
    const [header] = (await readFile(renderedFile, 'utf8')).split('\n');
    expect(header, 'run npm run test:helm -- --update').toBe(renderedHeader());
  });

  it('all objects keep to the schemas of Kubernetes, of KEDA and of the Prometheus operator', () => {
    expect(all.length).toBeGreaterThan(40);
    expect(schemaProblems(all)).toEqual([]);
  });

  it('no object has a field that the schemas do not know', async () => {
    expect(await unknownFields(all)).toBe('');
    const [deployment] = kinds('Deployment');
    const wrong = structuredClone(deployment) as Manifest;
    Object.assign(podOf(wrong).containers[0], { readynessProbe: {} });
    expect(await unknownFields([wrong])).toContain('readynessProbe');
  }, 60_000);

  it('pods run what the services of compose.yaml run', () => {
    const services = Object.entries(readCompose().services).filter(([, { image }]) =>
      image.includes('warren:'),
    );
    // The storage of a cluster has its own way to give rights; compose.yaml has VersityGW.
    const commands = Object.fromEntries(
      services.map(([name, { command = [] }]) => [name, command.filter((arg) => arg !== '--accounts')]),
    );
    for (const each of pods()) {
      const own = podOf(each).containers[0].args.filter(
        (arg, n, args) => ![arg, args[n - 1]].includes('--trust-proxy'),
      );
      expect(own, each.metadata.name).toEqual(commands[nameOf(each)]);
    }
    expect(pods().map(nameOf).toSorted()).toEqual(Object.keys(commands).toSorted());
  });

  it('each pod has the settings that its service of compose.yaml has, and its own login at the broker', () => {
    const { services } = readCompose();
    const groups = readGroups();
    for (const each of kinds('Deployment')) {
      const name = nameOf(each);
      const { env } = podOf(each).containers[0];
      const definition = groups[name] ?? { settings: {} };
      const given = [...env.map((one) => one.name), ...Object.keys(definition.settings)];
      const wanted = Object.keys(services[name]?.environment ?? {});
      expect(
        wanted.filter((key) => !given.includes(key)),
        name,
      ).toEqual([]);
      const password = env.find((one) => one.name === 'AMQP_PASSWORD')?.valueFrom?.secretKeyRef;
      expect(password).toEqual({ name: 'warren-broker', key: passwordVariable(name) });
      // What is put together of others has to come after them.
      expect(env.findIndex((one) => one.name === 'AMQP_URL')).toBeGreaterThan(
        env.findIndex((one) => one.name === 'AMQP_PASSWORD'),
      );
      expect(env.find((one) => one.name === 'AMQP_URL')?.value).toContain(`//${name}:$(AMQP_PASSWORD)@`);
    }
  });

  it('pods name secrets that the script makes, and users of the broker that get a password', async () => {
    const script = await readFile(projectFile('deploy/helm/make-secrets.sh'), 'utf8');
    const [, users = ''] = /for user in ([A-Z_ ]+);/.exec(script) ?? [];
    for (const each of pods()) {
      for (const { valueFrom } of podOf(each).containers[0].env) {
        if (!valueFrom) continue;
        const { name, key } = valueFrom.secretKeyRef;
        if (name === 'warren-broker') expect(users.split(' ')).toContain(key.replace('AMQP_PASSWORD_', ''));
        else expect(script).toMatch(new RegExp(`^${key}=`, 'm'));
      }
    }
  });

  it('pods read from secrets what the deployment to AWS keeps in secrets, and the recipients of alerts', async () => {
    const yml = parse(await readFile(projectFile('serverless.yml'), 'utf8'), { merge: true }) as {
      custom: { deploy: { secrets: Record<string, string> } };
    };
    const secrets = [...Object.keys(yml.custom.deploy.secrets), 'ALERT_ROUTES', ...recipientVariables].filter(
      (name) => name !== 'AMQP_URL',
    );
    const open = pods()
      .flatMap((each) => podOf(each).containers[0].env)
      .filter(({ name, valueFrom }) => {
        return secrets.includes(name) && !valueFrom?.secretKeyRef;
      });
    expect(open.map(({ name }) => name)).toEqual([]);
  });

  it('pods have more time to end than a drain takes', () => {
    for (const each of kinds('Deployment')) {
      const pod = podOf(each);
      const sleep = pod.containers[0].lifecycle?.preStop.sleep.seconds ?? 0;
      expect(pod.terminationGracePeriodSeconds, each.metadata.name).toBeGreaterThan(drainOf(pod) + sleep);
    }
  });

  it('each worker is scaled by all its queues, including unacknowledged messages, and to zero if no caller waits for an answer', async () => {
    const yml = parse(await readFile(projectFile('serverless.yml'), 'utf8'), { merge: true }) as {
      functions: Record<string, { events: { rabbitmq?: { queue: string } }[] }>;
      custom: { warren: { queues: Record<string, { partitions?: number; perKey?: object }> } };
    };
    // The messages of a divided queue wait in its partitions, and those above the share of their key beside.
    const waitingIn = (queue: string) => {
      const { partitions = 0, perKey } = yml.custom.warren.queues[queue] ?? {};
      const divided = Array.from({ length: partitions }, (_, index) => `${queue}.${index}`);
      if (partitions === 0) return [queue];
      return perKey ? divided.flatMap((name) => [name, `${name}.parked`]) : divided;
    };
    const workers = kinds('Deployment').filter((each) => podOf(each).containers[0].args[0] === 'worker');
    for (const each of workers) {
      const args = podOf(each).containers[0].args.slice(1, -2);
      const queues = args.flatMap((name) =>
        (yml.functions[name]?.events ?? []).flatMap(({ rabbitmq }) =>
          rabbitmq ? waitingIn(rabbitmq.queue) : [],
        ),
      );
      const scaled = kinds('ScaledObject').find(
        ({ spec }) => spec?.scaleTargetRef?.name === each.metadata.name,
      );
      const triggers = scaled?.spec?.triggers ?? [];
      expect(triggers.map(({ metadata }) => metadata['queueName']).toSorted()).toEqual(queues.toSorted());
      for (const { type, metadata } of triggers) {
        expect(type).toBe('rabbitmq');
        // Only the management API knows of what is unacknowledged.
        expect(metadata).toMatchObject({
          protocol: 'http',
          mode: 'QueueLength',
          excludeUnacknowledged: 'false',
        });
      }
      const answers = ['rpc', 'bookings'].includes(nameOf(each));
      expect(scaled?.spec?.minReplicaCount, each.metadata.name).toBe(answers ? 1 : 0);
      // Two settings for the number of replicas would conflict.
      expect(each.spec).not.toHaveProperty('replicas');
    }
    expect(kinds('ScaledObject')).toHaveLength(workers.length);
  });

  it('each worker has memory for the process of every function that it runs', () => {
    const workers = kinds('Deployment').filter((each) => podOf(each).containers[0].args[0] === 'worker');
    expect(workers).toHaveLength(5);
    for (const each of workers) {
      const { args, resources } = podOf(each).containers[0];
      const functions = args.slice(1, args.indexOf('--drain'));
      // Measured: 40 MB of its own for a process that has loaded its function, beside 45 MB that all share.
      const mebibytes = mebibytesOf(resources.limits.memory);
      expect(mebibytes, each.metadata.name).toBeGreaterThanOrEqual(192 * (1 + functions.length));
    }
  });

  it('Prometheus reads every pod, on a port that it has', () => {
    const [monitor] = kinds('PodMonitor') as [Manifest];
    const { selector, podMetricsEndpoints } = monitor.spec as unknown as {
      selector: { matchLabels: Record<string, string> };
      podMetricsEndpoints: { port: string }[];
    };
    for (const { metadata, spec } of kinds('Deployment')) {
      expect(spec?.template?.metadata.labels, metadata.name).toMatchObject(selector.matchLabels);
      const { ports } = podOf({ spec } as Manifest).containers[0];
      expect(ports.map(({ name }) => name)).toEqual(
        expect.arrayContaining(podMetricsEndpoints.map(({ port }) => port)),
      );
    }
  });

  it('no pod is root, writes, or does what only root may', () => {
    for (const each of pods()) {
      const pod = podOf(each);
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(pod.securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(pod.containers[0].securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  });

  it('the whole chart keeps each group to itself: an account, a budget for disruptions, and the parts that it uses', () => {
    const groups = readGroups();
    const names = (kind: string) => kinds(kind).map(nameOf).toSorted();
    expect(names('ServiceAccount')).toEqual(Object.keys(groups).toSorted());
    expect(names('NetworkPolicy')).toEqual(Object.keys(groups).toSorted());
    expect(names('PodDisruptionBudget')).toEqual(
      [...Object.keys(groups)].filter((name) => !['schedule', 'prepare'].includes(name)).toSorted(),
    );
    const ports = { mail: 587, database: 5432, broker: 5672, management: 15672, storage: 9000 };
    for (const each of pods()) {
      const name = nameOf(each);
      expect(podOf(each).serviceAccountName).toBe(`warren-${name}`);
      const [policy] = kinds('NetworkPolicy').filter((one) => nameOf(one) === name) as [Manifest];
      const { policyTypes, ingress, egress, podSelector } = policy.spec as unknown as Policy;
      expect(policyTypes).toEqual(['Ingress', 'Egress']);
      expect(each.spec?.template?.metadata.labels).toMatchObject(podSelector.matchLabels);
      const open = egress.flatMap((rule) => rule.ports.map(({ port }) => port));
      for (const [part, port] of Object.entries(ports)) {
        expect(open.includes(port), `${name}: ${part}`).toBe(groups[name]?.reaches.includes(part));
      }
      const incoming = (ingress ?? []).flatMap((rule) => rule.ports.map(({ port }) => port));
      const own = (podOf(each).containers[0].ports ?? []).map((port) => port.name);
      expect(incoming.toSorted(), name).toEqual(own.toSorted());
    }
  });

  it('prepare runs before the code: a hook with its account and its policy, which nothing else needs', () => {
    const hooks = all.filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] !== undefined);
    expect(hooks.map(({ kind }) => kind).toSorted()).toEqual(['Job', 'NetworkPolicy', 'ServiceAccount']);
    for (const { kind, metadata } of hooks) {
      expect(metadata.name).toBe('warren-prepare');
      expect(metadata.annotations?.['helm.sh/hook']).toBe('pre-install,pre-upgrade');
      const weight = Number(metadata.annotations?.['helm.sh/hook-weight']);
      if (kind === 'Job') expect(weight).toBe(0);
      else expect(weight).toBeLessThan(0);
    }
    const administrators = pods().filter((each) =>
      podOf(each).containers[0].env.some(({ valueFrom }) => valueFrom?.secretKeyRef.name === 'warren-admin'),
    );
    expect(administrators.map(nameOf)).toEqual(['prepare']);
  });
});
