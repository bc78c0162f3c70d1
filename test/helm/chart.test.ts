import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  chartFolder,
  examplesFolder,
  type KubernetesObject,
  readObjects,
  renderedFile,
  renderedHeader,
} from '../support/helm/chart.ts';
import { helmProgram, renderChart } from '../support/helm/helm.ts';
import { schemaProblems, unknownFields } from '../support/helm/schemas.ts';

const run = promisify(execFile);
const examples = ['simple', 'external', 'operators'];
const example = (name: string) => join(examplesFolder, `${name}.yaml`);

interface Workload extends KubernetesObject {
  spec: {
    replicas?: number;
    triggers: { metricType?: string; metadata: Record<string, string> }[];
    template: {
      metadata: { annotations?: Record<string, string> };
      spec: {
        volumes: { name: string; secret?: object; configMap?: object }[];
        containers: [
          {
            image: string;
            env: { name: string; value?: string; valueFrom?: object }[];
            volumeMounts: object[];
          },
        ];
      };
    };
    secretTargetRef: object[];
  };
}

interface Policy {
  policyTypes: string[];
  ingress?: object[];
  egress: { ports: { port: number }[] }[];
}

describe('the Helm chart', () => {
  let helm: string;
  beforeAll(async () => {
    helm = await helmProgram();
  });

  const render = async (name: string, set: object = {}) =>
    readObjects<Workload>(await renderChart(helm, [example(name)], set));
  const find = (objects: readonly Workload[], kind: string, name: string) => {
    const [found] = objects.filter((each) => each.kind === kind && each.metadata.name === name);
    return found ?? expect.fail(`expected the ${kind} ${name}`);
  };
  const containerOf = ({ spec }: Workload) => spec.template.spec.containers[0];
  const refusal = (set: object) =>
    renderChart(helm, [example('simple')], set).then(
      () => '',
      ({ stderr }: { stderr: string }) => stderr,
    );

  it.each(examples)('%s: helm lint finds no fault', async (name) => {
    const args = ['lint', chartFolder, '--strict', '--values', example(name)];
    const { stdout } = await run(helm, args);
    expect(stdout).toContain('0 chart(s) failed');
    expect(stdout).not.toMatch(/WARNING|ERROR/);
  });

  it.each(examples)(
    '%s: all objects keep to the schemas of their APIs and have no unknown field',
    async (name) => {
      const objects = await render(name);
      expect(objects.length).toBeGreaterThan(40);
      expect(schemaProblems(objects)).toEqual([]);
      expect(await unknownFields(objects)).toBe('');
    },
  );

  it('simple: the objects that `npm test` reads are what Helm renders', async () => {
    const rendered = await renderChart(helm, [example('simple')]);
    await expect(`${renderedHeader()}\n${rendered}`).toMatchFileSnapshot(renderedFile);
  });

  it('values: the defaults alone are refused, and the message names what is missing', async () => {
    const message = await renderChart(helm, []).then(
      () => '',
      ({ stderr }: { stderr: string }) => stderr,
    );
    expect(message).toContain("at '/broker/hosts': minItems: got 0, want 1");
    expect(message).toContain("at '/settings': missing properties 'MAIL_FROM', 'PUBLIC_URL', 'S3_BUCKET'");
  });

  it.each([
    ['a name that has no meaning', { 'workers.resise.scale.max': 4 }, "'/workers'", 'resise'],
    ['a setting that no function reads', { 'settings.LOGLEVEL': 'info' }, "'/settings'", 'LOGLEVEL'],
    ['a secret among the settings', { 'settings.SMTP_URL': 'smtp://a' }, "'/settings'", 'SMTP_URL'],
    [
      'a number as a setting',
      { 'settings.QUOTA_BYTES': 10737418240 },
      "'/settings/QUOTA_BYTES'",
      'want string',
    ],
    [
      'no memory limit',
      { 'workers.rpc.resources.limits.memory': null },
      "'/workers/rpc/resources/limits'",
      'memory',
    ],
    [
      'a memory limit that is no quantity',
      { 'http.resources.limits.memory': '512 MB' },
      "'/http/resources/limits/memory'",
      'pattern',
    ],
    ['a digest that is none', { 'image.digest': 'latest' }, "'/image/digest'", 'pattern'],
    [
      'a login in the address of the broker',
      { 'broker.hosts': ['u:p@rabbitmq:5672'] },
      "'/broker/hosts/0'",
      'pattern',
    ],
    [
      'a negative number of replicas',
      { 'workers.alerts.scale.min': -1 },
      "'/workers/alerts/scale/min'",
      'minimum',
    ],
    [
      'an authority that is a Secret and a ConfigMap',
      { authority: { secretName: 'a', configMapName: 'b' } },
      "'/authority'",
      'not',
    ],
    ['an Ingress without a host', { 'ingress.host': '' }, "'/ingress/host'", 'minLength'],
    ['an HTTPRoute without a Gateway', { 'gateway.enabled': true }, "'/gateway/parentRefs'", 'minItems'],
    ['a board that is neither on nor off', { 'board.enabled': 'yes' }, "'/board/enabled'", 'want boolean'],
    ['a claim without a name', { 'board.claim': 1 }, "'/board/claim'", 'want string'],
    ['no ports for a part', { 'network.egress.mail.ports': [] }, "'/network/egress/mail/ports'", 'minItems'],
  ])('values: %s is refused, and the message names the field', async (_, set, field, problem) => {
    const message = await refusal(set);
    expect(message).toContain(`at ${field}`);
    expect(message).toContain(problem);
  });

  it('schema: it has the groups and parts of the defaults, and a description of every setting', () => {
    const schema = JSON.parse(readFileSync(join(chartFolder, 'values.schema.json'), 'utf8'));
    const values = parse(readFileSync(join(chartFolder, 'values.yaml'), 'utf8'));
    const keys = (each: object) => Object.keys(each).toSorted();
    expect(keys(schema.properties.workers.properties)).toEqual(keys(values.workers));
    expect(keys(schema.properties.network.properties.egress.properties)).toEqual(keys(values.network.egress));
    const described = Object.values<{ description: string }>(schema.properties.settings.properties);
    expect(described.filter(({ description }) => description === '')).toEqual([]);
  });

  it('TLS: broker and database are verified with the authorities of the values, also by prepare and by KEDA', async () => {
    const objects = await render('operators');
    for (const [kind, name] of [
      ['Deployment', 'warren-resize'],
      ['Job', 'warren-prepare'],
    ] as const) {
      const workload = find(objects, kind, name);
      const { env, volumeMounts } = containerOf(workload);
      expect(volumeMounts).toEqual([
        { name: 'broker-authority', mountPath: '/etc/warren/broker', readOnly: true },
        { name: 'database-authority', mountPath: '/etc/warren/database', readOnly: true },
      ]);
      const position = (variable: string) => env.findIndex((each) => each.name === variable);
      expect(env[position('DATABASE_URL')]?.value).toBe(
        '$(DATABASE_LOGIN_URL)?sslmode=verify-full&sslrootcert=/etc/warren/database/ca.crt',
      );
      // Kubernetes replaces only variables that come before.
      expect(position('DATABASE_LOGIN_URL')).toBeLessThan(position('DATABASE_URL'));
    }
    const { env } = containerOf(find(objects, 'Deployment', 'warren-resize'));
    expect(env.find(({ name }) => name === 'AMQP_URL')?.value).toBe(
      'amqps://resize:$(AMQP_PASSWORD)@warren-rabbitmq:5671?cacertfile=/etc/warren/broker/ca.crt',
    );
    const { secretTargetRef } = find(objects, 'TriggerAuthentication', 'warren-broker').spec;
    expect(secretTargetRef).toContainEqual({ parameter: 'tls', name: 'warren-scaler', key: 'tls' });
    expect(secretTargetRef).toContainEqual({ parameter: 'ca', name: 'warren-rabbitmq-tls', key: 'ca.crt' });
  });

  it('nodes and virtual host: the URL has every node, each with the login and the encoded virtual host', async () => {
    const objects = await render('simple', { 'broker.hosts': ['a:5672', 'b:5672'], 'broker.vhost': 'a/b' });
    const { env } = containerOf(find(objects, 'Deployment', 'warren-rpc'));
    expect(env.find(({ name }) => name === 'AMQP_URL')?.value).toBe(
      'amqp://rpc:$(AMQP_PASSWORD)@a:5672/a%2Fb,amqp://rpc:$(AMQP_PASSWORD)@b:5672/a%2Fb',
    );
    const { triggers } = find(objects, 'ScaledObject', 'warren-rpc').spec;
    expect(new Set(triggers.map(({ metadata }) => metadata['vhostName']))).toEqual(new Set(['a/b']));
  });

  it('image: a digest replaces the tag', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const objects = await render('simple', { 'image.tag': '9.9.9', 'image.digest': digest });
    const images = objects.filter(({ kind }) => ['Deployment', 'Job'].includes(kind)).map(containerOf);
    expect(new Set(images.map(({ image }) => image))).toEqual(new Set([`ghcr.io/example/warren@${digest}`]));
  });

  it('scaling: a time to empty the queue is a further trigger of each queue, compared with all replicas together', async () => {
    const { triggers } = find(await render('external'), 'ScaledObject', 'warren-alerts').spec;
    const times = triggers.filter(({ metadata }) => metadata['mode'] === 'ExpectedQueueConsumptionTime');
    expect(times.map(({ metadata }) => metadata['queueName'])).toEqual([
      'critical',
      'rate_limit',
      'alert-log',
    ]);
    expect(new Set(times.map(({ metricType }) => metricType))).toEqual(new Set(['Value']));
    expect(triggers).toHaveLength(6);
  });

  it('without KEDA: each group of workers has its least number of replicas, and at least one', async () => {
    const objects = await render('simple', { 'keda.enabled': false, 'workers.rpc.scale.min': 3 });
    expect(objects.filter(({ apiVersion }) => apiVersion.startsWith('keda'))).toEqual([]);
    expect(find(objects, 'Deployment', 'warren-resize').spec.replicas).toBe(1);
    expect(find(objects, 'Deployment', 'warren-rpc').spec.replicas).toBe(3);
    expect(find(objects, 'Deployment', 'warren-http').spec).not.toHaveProperty('replicas');
  });

  it('secrets: a changed revision restarts the pods, and a variable may be in the Secret of an operator', async () => {
    const objects = await render('operators', { 'secrets.revision': 'b' });
    const { template } = find(objects, 'Deployment', 'warren-alerts').spec;
    expect(template.metadata.annotations).toEqual({ 'warren/secrets': 'b' });
    const { env } = containerOf(find(objects, 'Job', 'warren-prepare'));
    expect(env.find(({ name }) => name === 'DATABASE_LOGIN_URL')?.valueFrom).toEqual({
      secretKeyRef: { name: 'warren-database-app', key: 'uri' },
    });
  });

  it('settings: a text that looks like a reference to a variable stays as it is', async () => {
    const objects = await render('simple', { 'settings.MAIL_FROM': '$(AMQP_URL) <a@x>' });
    const { env } = containerOf(find(objects, 'Deployment', 'warren-alerts'));
    expect(env.find(({ name }) => name === 'MAIL_FROM')?.value).toBe('$$(AMQP_URL) <a@x>');
  });

  it('board: a pod alone with the login that replays, which only a forwarded port reaches', async () => {
    const objects = await render('operators', { 'board.enabled': true });
    expect(schemaProblems(objects)).toEqual([]);
    expect(await unknownFields(objects)).toBe('');
    const own = objects.filter(({ metadata }) => metadata.name === 'warren-board');
    expect(own.map(({ kind }) => kind).toSorted()).toEqual(['Deployment', 'NetworkPolicy', 'ServiceAccount']);
    const deployment = find(objects, 'Deployment', 'warren-board');
    expect(deployment.spec).toMatchObject({
      replicas: 1,
      strategy: { type: 'Recreate' },
      template: {
        spec: {
          serviceAccountName: 'warren-board',
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        },
      },
    });
    const container = containerOf(deployment);
    expect(container).toMatchObject({
      args: ['board'],
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
    });
    expect(container).not.toHaveProperty('ports');
    expect(container.volumeMounts).toContainEqual({ name: 'cache', mountPath: '/cache' });
    expect(container.env.map(({ name }) => name)).toEqual([
      ...['LOG_LEVEL', 'WARREN_CACHE', 'AMQP_PASSWORD', 'AMQP_URL', 'AMQP_MANAGEMENT_URL'],
    ]);
    expect(container.env.find(({ name }) => name === 'AMQP_URL')?.value).toMatch(/^amqps:\/\/operator:/);
    expect(container.env.find(({ name }) => name === 'AMQP_PASSWORD')?.valueFrom).toEqual({
      secretKeyRef: { name: 'warren-broker', key: 'AMQP_PASSWORD_OPERATOR' },
    });
    const policy = find(objects, 'NetworkPolicy', 'warren-board').spec as unknown as Policy;
    expect(policy).toMatchObject({ policyTypes: ['Ingress', 'Egress'] });
    expect(policy.ingress).toBeUndefined();
    expect(policy.egress.flatMap((rule) => rule.ports.map(({ port }) => port))).toEqual([
      53, 53, 5671, 15671, 443,
    ]);
  });

  it('board: none by default; its cache is on a volume that is named, and its sign-in reaches no other pod', async () => {
    const isOfBoard = ({ metadata }: Workload) => metadata.name.endsWith('-board');
    expect((await render('simple')).filter(isOfBoard)).toEqual([]);
    const objects = await render('simple', {
      'board.enabled': true,
      'board.claim': 'audit',
      'settings.BOARD_ISSUER': 'https://login.example.com',
    });
    const { volumes } = find(objects, 'Deployment', 'warren-board').spec.template.spec;
    expect(volumes).toEqual([{ name: 'cache', persistentVolumeClaim: { claimName: 'audit' } }]);
    const readers = objects.filter(
      (each) =>
        ['Deployment', 'Job'].includes(each.kind) &&
        containerOf(each).env.some(({ name }) => name === 'BOARD_ISSUER'),
    );
    expect(readers.map(({ metadata }) => metadata.name)).toEqual(['warren-board']);
  });

  it('releases: two in a namespace share no name and select no pod of each other', async () => {
    const args = ['template', 'other', chartFolder, '--values', example('simple')];
    const { stdout } = await run(helm, args, { maxBuffer: 50_000_000 });
    const keys = (objects: readonly KubernetesObject[]) =>
      objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    const other = readObjects(stdout);
    const shared = keys(await render('simple')).filter((each) => keys(other).includes(each));
    expect(shared).toEqual([]);
    const selectors = [...stdout.matchAll(/matchLabels:\n(?: +app\.kubernetes\.io\/.*\n)+/g)].map(
      ([text]) => text,
    );
    expect(selectors.length).toBeGreaterThan(20);
    expect(selectors.filter((text) => !text.includes('app.kubernetes.io/instance: other'))).toEqual([]);
  });
});
