import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { chartFolder, examplesFolder, type KubernetesObject, readObjects } from '../helm/chart.ts';
import type { KubernetesApi } from './api.ts';
import type { Cluster } from './start.ts';

const run = promisify(execFile);

/** Runs Helm as an administrator of a cluster. */
export type Helm = (args: readonly string[]) => Promise<string>;

/** Helm with the login of a cluster. */
export const helmOf =
  (helm: string, { kubeconfig }: Cluster): Helm =>
  async (args) => {
    const env = { ...process.env, KUBECONFIG: kubeconfig };
    const { stdout } = await run(helm, [...args], { env, maxBuffer: 50_000_000 });
    return stdout;
  };

/** Arguments that name the release, the chart and an example's values, and further values by path. */
export const releaseArgs = (namespace: string, example: string, set: object = {}): string[] => [
  ...['warren', chartFolder, '--namespace', namespace],
  ...['--values', join(examplesFolder, `${example}.yaml`), '--timeout', '4m'],
  ...Object.entries(set).flatMap(([key, value]) => ['--set-json', `${key}=${JSON.stringify(value)}`]),
];

/** Makes a namespace that admits only pods of the Pod Security Standard `restricted`. */
export async function makeNamespace(api: KubernetesApi, name: string): Promise<void> {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
  await api.ask('POST', '/api/v1/namespaces', { body });
}

interface Definition extends KubernetesObject {
  spec: { group: string; versions: { name: string }[] };
}

/** Installs the definitions of a folder, and returns when the server serves their kinds. */
export async function installDefinitions(api: KubernetesApi, folder: string): Promise<void> {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  for (const file of await readdir(folder)) {
    const [definition] = readObjects<Definition>(await readFile(join(folder, file), 'utf8'));
    if (!definition) throw new Error(`${file}: expected a definition`);
    // Groups of Kubernetes itself need a link to their review. The generator of the Gateway API adds it.
    definition.metadata.annotations = {
      ...definition.metadata.annotations,
      'api-approved.kubernetes.io': 'https://github.com/kubernetes-sigs/gateway-api/pull/2997',
    };
    await api.ask('POST', path, { body: definition });
  }
  for (const { metadata, spec } of await api.list<Definition>(path)) {
    const kind = metadata.name.slice(0, -spec.group.length - 1);
    const listed = `/apis/${spec.group}/${spec.versions[0]?.name}/${kind}`;
    // At first the server does not know it, then its storage is not ready.
    while ((await api.request('GET', listed)).status !== 200) await pause(100);
  }
}

/** The namespaced objects with the release's labels, as kind and name. */
export async function objectsOf(api: KubernetesApi, namespace: string): Promise<string[]> {
  const { groups } = await api.ask<{ groups: { preferredVersion: { groupVersion: string } }[] }>(
    'GET',
    '/apis',
  );
  const roots = [
    '/api/v1',
    ...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`),
  ];
  const found: string[] = [];
  for (const root of roots) {
    const { resources } = await api.ask<{
      resources: { name: string; kind: string; namespaced: boolean; verbs: string[] }[];
    }>('GET', root);
    for (const { name, kind, namespaced, verbs } of resources) {
      if (!namespaced || !verbs.includes('list')) continue;
      const selector = 'labelSelector=app.kubernetes.io%2Finstance%3Dwarren';
      const items = await api.list(`${root}/namespaces/${namespace}/${name}?${selector}`);
      found.push(...items.map(({ metadata }) => `${kind} ${metadata.name}`));
    }
  }
  return found.toSorted();
}
