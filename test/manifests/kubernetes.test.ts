import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { projectFile } from '../../dev/stack/project.ts';
import { passwordVariable } from '../../runtime/cli/broker-users.ts';
import { readCompose } from '../support/compose.ts';

const require = createRequire(import.meta.url);
const run = promisify(execFile);
const folder = projectFile('deploy/kubernetes');

interface Env {
  name: string;
  value?: string;
  valueFrom?: { secretKeyRef?: Reference; configMapKeyRef?: Reference };
}
interface Reference {
  name: string;
  key: string;
  optional?: boolean;
}
interface PodSpec {
  terminationGracePeriodSeconds: number;
  securityContext: object;
  containers: [
    {
      args: string[];
      env: Env[];
      resources: { limits: { memory: string } };
      ports: { name: string }[];
      securityContext: object;
      lifecycle?: { preStop: { sleep: { seconds: number } } };
    },
  ];
}
interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
  spec?: {
    template?: { metadata: { labels: Record<string, string> }; spec: PodSpec };
    minReplicaCount?: number;
    triggers?: { type: string; metadata: Record<string, string> }[];
    scaleTargetRef?: { name: string };
    [field: string]: unknown;
  };
}

const listed = async (of: string) => {
  const { resources } = parse(await readFile(`${folder}/${of}/kustomization.yaml`, 'utf8')) as {
    resources: string[];
  };
  return resources.filter((name) => name.endsWith('.yaml')).map((name) => `${folder}/${of}/${name}`);
};
const documents = async (path: string) =>
  parseAllDocuments(await readFile(path, 'utf8')).map((each) => each.toJS() as Manifest);

const mebibytesOf = (quantity: string) => {
  const [, count, unit] = /^(\d+)(Mi|Gi)$/.exec(quantity) ?? [];
  return Number(count) * (unit === 'Gi' ? 1024 : 1);
};

/** The packages with the models of groups that are not Kubernetes's own. */
const modelsOf: Record<string, string> = {
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};
const moduleOf = ({ apiVersion }: Manifest) =>
  `${modelsOf[apiVersion.split('/')[0] ?? ''] ?? 'kubernetes-models'}/${apiVersion}`;

describe('the manifests for Kubernetes', () => {
  let all: Manifest[];
  let scratch: string;
  beforeAll(async () => {
    const files = (await Promise.all(['base', 'example', 'monitoring'].map(listed))).flat();
    all = (await Promise.all(files.map(documents))).flat();
    // Inside node_modules, so that TypeScript finds the models.
    scratch = await mkdtemp(join(projectFile('node_modules'), '.kubernetes-test-'));
  });
  afterAll(() => rm(scratch, { recursive: true, force: true }));

  const kinds = (kind: string) => all.filter((each) => each.kind === kind);
  const pods = () => [...kinds('Deployment'), ...kinds('Job')];
  const podOf = ({ spec }: Manifest) => spec?.template?.spec as PodSpec;
  const nameOf = ({ metadata }: Manifest) => metadata.name.replace('warren-', '');
  const drainOf = (pod: PodSpec) => {
    const { args } = pod.containers[0];
    return Number(args[args.indexOf('--drain') + 1]);
  };

  it('keep to the schemas of Kubernetes, of KEDA and of the Prometheus operator', () => {
    expect(all.length).toBeGreaterThan(20);
    for (const each of all) {
      const models = require(moduleOf(each)) as Record<string, new (data: Manifest) => { validate(): void }>;
      const Model = models[each.kind];
      if (!Model) throw new Error(`${each.apiVersion} has no ${each.kind}`);
      expect(() => new Model(each).validate(), `${each.kind} ${each.metadata.name}`).not.toThrow();
    }
  });

  it('use no field that the schemas do not know', async () => {
    const check = async (manifests: Manifest[]) => {
      const imports = new Set(
        manifests.map((each) => `import type { I${each.kind} } from '${moduleOf(each)}';`),
      );
      const objects = manifests.map(
        (each, n) => `export const it${n}: I${each.kind} = ${JSON.stringify(each)};`,
      );
      await writeFile(join(scratch, 'all.ts'), [...imports, ...objects].join('\n'));
      const options = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext'];
      const tsc = projectFile('node_modules/typescript/bin/tsc');
      return run(process.execPath, [tsc, ...options, '--types', '', 'all.ts'], { cwd: scratch }).then(
        () => '',
        (error: { stdout: string }) => error.stdout,
      );
    };
    expect(await check(all)).toBe('');
    const [deployment] = kinds('Deployment');
    const wrong = structuredClone(deployment) as Manifest;
    Object.assign(podOf(wrong).containers[0], { readynessProbe: {} });
    expect(await check([wrong])).toContain('readynessProbe');
  }, 60_000);

  it('run what compose.yaml runs', () => {
    const services = Object.entries(readCompose().services).filter(([, { image }]) =>
      image.includes('warren:'),
    );
    const commands = Object.fromEntries(services.map(([name, { command = [] }]) => [name, command]));
    for (const each of pods()) {
      const own = podOf(each).containers[0].args.filter(
        (arg, n, args) => ![arg, args[n - 1]].includes('--trust-proxy'),
      );
      expect(own, each.metadata.name).toEqual(commands[nameOf(each)]);
    }
    expect(pods().map(nameOf).toSorted()).toEqual(Object.keys(commands).toSorted());
  });

  it('give each pod the settings that its service of compose.yaml has, and its own login at the broker', () => {
    const { services } = readCompose();
    for (const each of kinds('Deployment')) {
      const name = nameOf(each);
      const { env } = podOf(each).containers[0];
      const given = env.map((one) => one.name);
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

  it('name settings and secrets that the example has', async () => {
    const settings = await readFile(`${folder}/example/settings.env`, 'utf8');
    const script = await readFile(`${folder}/example/make-secrets.sh`, 'utf8');
    for (const each of pods()) {
      for (const { valueFrom = {} } of podOf(each).containers[0].env) {
        const { configMapKeyRef, secretKeyRef } = valueFrom;
        if (configMapKeyRef && !configMapKeyRef.optional)
          expect(settings).toMatch(new RegExp(`^${configMapKeyRef.key}=`, 'm'));
        if (secretKeyRef && secretKeyRef.name !== 'warren-broker') {
          expect(script).toMatch(new RegExp(`^${secretKeyRef.key}=`, 'm'));
        }
      }
    }
  });

  it('keep in secrets what the deployment to AWS keeps there, and addresses of webhooks', async () => {
    const yml = parse(await readFile(projectFile('serverless.yml'), 'utf8'), { merge: true }) as {
      custom: { deploy: { secrets: Record<string, string> } };
    };
    const secrets = [...Object.keys(yml.custom.deploy.secrets), 'ALERT_ROUTES'].filter(
      (name) => name !== 'AMQP_URL',
    );
    const open = pods()
      .flatMap((each) => podOf(each).containers[0].env)
      .filter(({ name, valueFrom }) => {
        return secrets.includes(name) && !valueFrom?.secretKeyRef;
      });
    expect(open.map(({ name }) => name)).toEqual([]);
  });

  it('are more patient than a drain takes', () => {
    for (const each of kinds('Deployment')) {
      const pod = podOf(each);
      const sleep = pod.containers[0].lifecycle?.preStop.sleep.seconds ?? 0;
      expect(pod.terminationGracePeriodSeconds, each.metadata.name).toBeGreaterThan(drainOf(pod) + sleep);
    }
  });

  it('scale each worker by all its queues, including unacknowledged messages, and to zero if no caller waits for an answer', async () => {
    const yml = parse(await readFile(projectFile('serverless.yml'), 'utf8'), { merge: true }) as {
      functions: Record<string, { events: { rabbitmq?: { queue: string } }[] }>;
    };
    const workers = kinds('Deployment').filter((each) => podOf(each).containers[0].args[0] === 'worker');
    for (const each of workers) {
      const args = podOf(each).containers[0].args.slice(1, -2);
      const queues = args.flatMap((name) =>
        (yml.functions[name]?.events ?? []).map(({ rabbitmq }) => rabbitmq?.queue),
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

  it('give each worker memory for the process of every function that it runs', () => {
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

  it('let Prometheus read every pod, on a port that it has', () => {
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

  it('let no pod be root, write, or do what only root may', () => {
    for (const each of pods()) {
      const pod = podOf(each);
      expect(pod.securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(pod.containers[0].securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  });
});
