import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { controlPlane } from '../support/cluster/build.ts';
import { type End, endJobs, type Job } from '../support/cluster/jobs.ts';
import {
  type Helm,
  helmOf,
  installDefinitions,
  makeNamespace,
  objectsOf,
  releaseArgs,
} from '../support/cluster/release.ts';
import { type Cluster, startCluster } from '../support/cluster/start.ts';
import { type KubernetesObject, readObjects } from '../support/helm/chart.ts';
import { helmProgram } from '../support/helm/helm.ts';

interface PodSpec {
  serviceAccountName: string;
  volumes?: { projected?: object }[];
  containers: { image: string }[];
}
interface Workload extends KubernetesObject {
  spec: { replicas?: number; template: { metadata: { labels: Record<string, string> }; spec: PodSpec } };
}

const examples = ['simple', 'external', 'operators'];
const groups = ['alerts', 'bookings', 'http', 'pictures', 'resize', 'rpc', 'schedule'];
const namesOf = (objects: readonly KubernetesObject[]) =>
  objects.map(({ metadata }) => metadata.name).toSorted();

describe('the chart on an API server', () => {
  let cluster: Cluster;
  let helm: Helm;
  beforeAll(async () => {
    const programs = await controlPlane();
    cluster = await startCluster(programs);
    helm = helmOf(await helmProgram(), cluster);
    await installDefinitions(cluster.api, programs.definitions);
  });
  afterAll(() => cluster?.stop());

  const deploymentsOf = (namespace: string) =>
    cluster.api.list<Workload>(`/apis/apps/v1/namespaces/${namespace}/deployments`);
  const jobsOf = (namespace: string) =>
    cluster.api.list<Workload & Job>(`/apis/batch/v1/namespaces/${namespace}/jobs`);
  /** The images of jobs that have not ended. */
  const runningOf = async (namespace: string) =>
    (await jobsOf(namespace))
      .filter(({ status }) => !status.conditions)
      .map(({ spec }) => spec.template.spec.containers[0]?.image);
  const imagesOf = async (namespace: string) => [
    ...new Set((await deploymentsOf(namespace)).map(({ spec }) => spec.template.spec.containers[0]?.image)),
  ];
  const withJobs = async (namespace: string, endOf: () => End | undefined, work: () => Promise<void>) => {
    const stop = endJobs(cluster.api, namespace, endOf);
    try {
      await work();
    } finally {
      await stop();
    }
  };

  it.each(examples)(
    '%s: the server takes each object with strict validation, and the release is installed, upgraded and removed',
    async (example) => {
      await makeNamespace(cluster.api, example);
      const args = releaseArgs(example, example, { 'board.enabled': true });
      const objects = readObjects(await helm(['template', ...args]));
      expect(objects.length).toBeGreaterThan(40);
      const objections = objects.map((each) => cluster.api.apply(each, example, true));
      expect((await Promise.all(objections)).filter((each) => each !== undefined)).toEqual([]);

      await withJobs(
        example,
        () => 'Complete',
        async () => {
          await helm(['install', ...args]);
          const installed = await objectsOf(cluster.api, example);
          await helm(['upgrade', ...args, '--set', 'secrets.revision=b']);
          expect(await objectsOf(cluster.api, example)).toEqual(installed);
          await helm(['uninstall', 'warren', '--namespace', example]);
        },
      );
      // The last run of `prepare` stays for a day.
      expect(await objectsOf(cluster.api, example)).toEqual(['Job warren-prepare']);
    },
  );

  it('prepare: no code of a version is there before it is done, and an installation that failed is repeated', async () => {
    const namespace = 'order';
    await makeNamespace(cluster.api, namespace);
    let end: End | undefined = 'Failed';
    const install = (set: object) => helm(['upgrade', '--install', ...releaseArgs(namespace, 'simple', set)]);
    const running = (tag: string) =>
      expect.poll(() => runningOf(namespace), { timeout: 60_000 }).toEqual([`ghcr.io/example/warren:${tag}`]);
    await withJobs(
      namespace,
      () => end,
      async () => {
        await expect(install({})).rejects.toThrow('Job/order/warren-prepare not ready. status: Failed');
        expect(await deploymentsOf(namespace)).toEqual([]);
        // The failed job stays for `kubectl logs job/warren-prepare`, until the next attempt.
        const [failed] = await jobsOf(namespace);
        expect(failed?.spec.template.spec).toMatchObject({ restartPolicy: 'Never' });

        end = undefined;
        const installing = install({});
        await running('1.0.0');
        expect(await deploymentsOf(namespace)).toEqual([]);
        end = 'Complete';
        await installing;
        expect(namesOf(await deploymentsOf(namespace))).toEqual(groups.map((group) => `warren-${group}`));

        end = undefined;
        const upgrading = install({ 'image.tag': '2.0.0' });
        await running('2.0.0');
        expect(await imagesOf(namespace)).toEqual(['ghcr.io/example/warren:1.0.0']);
        end = 'Complete';
        await upgrading;
        expect(await imagesOf(namespace)).toEqual(['ghcr.io/example/warren:2.0.0']);

        // The way back runs no `prepare`: it would fail.
        end = 'Failed';
        await helm(['rollback', 'warren', '2', '--namespace', namespace]);
        expect(await imagesOf(namespace)).toEqual(['ghcr.io/example/warren:1.0.0']);
      },
    );
  });

  describe('a release', () => {
    const namespace = 'release';
    beforeAll(async () => {
      await makeNamespace(cluster.api, namespace);
      await withJobs(
        namespace,
        () => 'Complete',
        async () => void (await helm(['install', ...releaseArgs(namespace, 'simple')])),
      );
    });

    it('pods: the standard `restricted` admits each, with the account of its group and without a token', async () => {
      const path = `/api/v1/namespaces/${namespace}/pods?dryRun=All`;
      const podOf = ({ metadata, spec }: Workload) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: metadata.name, labels: spec.template.metadata.labels },
        spec: spec.template.spec,
      });
      const deployments = await deploymentsOf(namespace);
      for (const each of deployments) {
        const { spec } = await cluster.api.ask<{ spec: PodSpec }>('POST', path, { body: podOf(each) });
        expect(spec.serviceAccountName).toBe(each.metadata.name);
        expect((spec.volumes ?? []).filter(({ projected }) => projected)).toEqual([]);
      }
      const [first] = deployments;
      if (!first) throw new Error('expected a Deployment');
      const body = structuredClone(podOf(first));
      Object.assign(body.spec, { securityContext: {} });
      const { status, body: refusal } = await cluster.api.request('POST', path, { body });
      expect([status, refusal.message]).toEqual([
        403,
        expect.stringContaining('violates PodSecurity "restricted'),
      ]);
    });

    it('validation: a field that the server does not know is refused, in a Deployment and in a ScaledObject', async () => {
      const objects = readObjects<Workload>(await helm(['template', ...releaseArgs(namespace, 'simple')]));
      for (const kind of ['Deployment', 'ScaledObject']) {
        const found = objects.find((each) => each.kind === kind);
        if (!found) throw new Error(`expected a ${kind}`);
        Object.assign(found.spec, { replicaz: 1 });
        expect(await cluster.api.apply(found, namespace, true)).toContain(
          'spec.replicaz: field not declared',
        );
      }
    });

    it('accounts: those of the groups may do nothing at the API but ask about themselves', async () => {
      const accounts = await cluster.api.list(`/api/v1/namespaces/${namespace}/serviceaccounts`);
      expect(namesOf(accounts)).toEqual(groups.map((group) => `warren-${group}`));
      for (const { metadata } of accounts) {
        const as = { namespace, name: metadata.name };
        const review = await cluster.api.ask<{ status: { resourceRules: { apiGroups: string[] }[] } }>(
          'POST',
          '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
          {
            as,
            body: {
              apiVersion: 'authorization.k8s.io/v1',
              kind: 'SelfSubjectRulesReview',
              spec: { namespace },
            },
          },
        );
        const reviewed = new Set(review.status.resourceRules.flatMap((rule) => rule.apiGroups));
        expect([...reviewed].toSorted(), as.name).toEqual(['authentication.k8s.io', 'authorization.k8s.io']);
        for (const kind of ['secrets', 'pods', 'configmaps']) {
          const { status } = await cluster.api.request('GET', `/api/v1/namespaces/${namespace}/${kind}`, {
            as,
          });
          expect(status, `${as.name}, ${kind}`).toBe(403);
        }
      }
    });

    it('scaling: an upgrade leaves the number of replicas that KEDA has set', async () => {
      const path = `/apis/apps/v1/namespaces/${namespace}/deployments/warren-resize`;
      const options = { body: { spec: { replicas: 5 } }, type: 'application/merge-patch+json' };
      await cluster.api.ask('PATCH', `${path}/scale?fieldManager=keda`, options);
      await withJobs(
        namespace,
        () => 'Complete',
        async () => {
          await helm(['upgrade', ...releaseArgs(namespace, 'simple', { 'secrets.revision': 'c' })]);
        },
      );
      const { spec } = await cluster.api.ask<Workload>('GET', path);
      expect(spec.replicas).toBe(5);
    });

    it('values: each can be switched in an installed release', async () => {
      const values = [
        { 'keda.enabled': false, 'gateway.enabled': true, 'ingress.enabled': false },
        { 'network.enabled': false, 'monitoring.enabled': false, 'board.enabled': true },
      ];
      const gateway = {
        'gateway.parentRefs': [{ name: 'public' }],
        'gateway.hostnames': ['warren.example.com'],
      };
      await withJobs(
        namespace,
        () => 'Complete',
        async () => {
          for (const each of [...values, {}]) {
            await helm(['upgrade', ...releaseArgs(namespace, 'simple', { ...gateway, ...each })]);
            const kinds = new Set(
              (await objectsOf(cluster.api, namespace)).map((name) => name.split(' ')[0]),
            );
            expect(kinds.has('ScaledObject')).toBe(!('keda.enabled' in each));
            expect(kinds.has('HTTPRoute')).toBe('gateway.enabled' in each);
            expect(kinds.has('NetworkPolicy')).toBe(!('network.enabled' in each));
          }
        },
      );
    });
  });
});
