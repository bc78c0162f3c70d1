import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../../runtime/local/free-port.ts';
import { type StackChild, startChild } from '../../../runtime/local/process.ts';
import { waitUntil } from '../../../runtime/local/wait.ts';
import { KubernetesApi } from './api.ts';
import type { ControlPlane } from './build.ts';

/** A running API server, without controllers and nodes. */
export interface Cluster {
  api: KubernetesApi;
  /** File with which Helm and kubectl reach it as an administrator. */
  kubeconfig: string;
  stop(): Promise<void>;
}

/** Starts etcd and kube-apiserver, with RBAC and the admission plugins of a cluster, on unused ports. */
export async function startCluster(programs: ControlPlane): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'warren-cluster-'));
  const at = (name: string) => join(folder, name);
  const ports = await freePorts(['etcd', 'peer', 'api']);
  const children: StackChild[] = [];
  const { signal } = new AbortController();
  const start = (name: string, command: string, args: readonly string[]) => {
    const child = startChild({ name, command, args, cwd: folder, env: {}, logFile: at(`${name}.log`) });
    children.push(child);
    return { child, signal, timeoutMs: 180_000, hint: `see ${at(`${name}.log`)}` };
  };
  const stop = async () => {
    for (const child of children.toReversed()) await child.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const store = `http://127.0.0.1:${ports.etcd}`;
    const peer = `http://127.0.0.1:${ports.peer}`;
    const etcd = start('etcd', programs.etcd, [
      ...['--data-dir', at('etcd'), '--unsafe-no-fsync'],
      ...['--listen-client-urls', store, '--advertise-client-urls', store],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', `default=${peer}`],
    ]);
    await waitUntil('etcd', async () => (await fetch(`${store}/health`)).ok, etcd);

    const token = randomBytes(24).toString('hex');
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await writeFile(at('accounts.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }));
    await writeFile(at('tokens.csv'), `${token},admin,admin,system:masters\n`);
    const server = start('kube-apiserver', programs.apiServer, [
      ...[`--etcd-servers=${store}`, `--secure-port=${ports.api}`, '--bind-address=127.0.0.1'],
      ...[`--cert-dir=${at('certificates')}`, '--endpoint-reconciler-type=none'],
      ...[
        '--service-account-issuer=https://kubernetes.default.svc',
        '--service-cluster-ip-range=10.0.0.0/24',
      ],
      ...[`--service-account-key-file=${at('accounts.key')}`],
      ...[`--service-account-signing-key-file=${at('accounts.key')}`],
      ...[`--token-auth-file=${at('tokens.csv')}`, '--authorization-mode=RBAC'],
    ]);
    const address = `https://127.0.0.1:${ports.api}`;
    const certificate = at('certificates/apiserver.crt');
    const api = new KubernetesApi(address, token, () => readFile(certificate));
    await waitUntil(
      'kube-apiserver',
      async () => (await api.request('GET', '/readyz')).status === 200,
      server,
    );

    const kubeconfig = at('kubeconfig');
    await writeFile(kubeconfig, JSON.stringify(configOf(address, token, certificate)));
    return { api, kubeconfig, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const configOf = (server: string, token: string, certificate: string) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'test', cluster: { server, 'certificate-authority': certificate } }],
  users: [{ name: 'admin', user: { token } }],
  contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
  'current-context': 'test',
});
