import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectFile } from '../../../dev/stack/project.ts';

const run = promisify(execFile);
const sources = projectFile('test/support/cluster/go');

/** The programs of an API server, and the definitions of the objects that are not Kubernetes's own. */
export interface ControlPlane {
  etcd: string;
  apiServer: string;
  /** A folder of CustomResourceDefinitions. */
  definitions: string;
}

/**
 * Builds them with Go from modules whose versions and sums are in the repository. It takes minutes, once: the
 * programs are kept in the project's data.
 *
 * @throws Error with the compiler's output.
 */
export async function controlPlane(): Promise<ControlPlane> {
  const folder = projectFile(`.data/cluster-${hashOf('server')}-${hashOf('definitions')}`);
  if (!existsSync(folder)) {
    await mkdir(projectFile('.data'), { recursive: true });
    const making = await mkdtemp(`${folder}-`);
    try {
      await buildServer(making);
      await writeDefinitions(making);
      await rename(making, folder);
    } finally {
      await rm(making, { recursive: true, force: true });
    }
  }
  return {
    etcd: join(folder, 'etcd'),
    apiServer: join(folder, 'kube-apiserver'),
    definitions: join(folder, 'definitions'),
  };
}

/** The chart's kinds. */
const kinds = [
  'gateway.networking.k8s.io_httproutes',
  'keda.sh_scaledobjects',
  'keda.sh_triggerauthentications',
  'monitoring.coreos.com_podmonitors',
  'monitoring.coreos.com_prometheusrules',
];

const hashOf = (module: string) => {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(join(sources, module, file)));
  return hash.digest('hex').slice(0, 12);
};

const go = (cwd: string, args: readonly string[]) => run('go', [...args], { cwd, maxBuffer: 50_000_000 });

/** A build by hand has no version, and the chart needs one. */
const versionOf = (module: string) => {
  const text = readFileSync(join(sources, module, 'go.mod'), 'utf8');
  const [, minor, patch] = /k8s\.io\/kubernetes v1\.(\d+)\.(\d+)/.exec(text) ?? [];
  if (!minor) throw new Error(`${module}/go.mod: expected a version of k8s.io/kubernetes`);
  const variables = { gitVersion: `v1.${minor}.${patch}`, gitMajor: '1', gitMinor: minor };
  return Object.entries(variables).map(
    ([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`,
  );
};

async function buildServer(to: string): Promise<void> {
  const cwd = join(sources, 'server');
  const flags = ['-s', '-w', ...versionOf('server')].join(' ');
  const build = (name: string, path: string) =>
    go(cwd, ['build', '-trimpath', `-ldflags=${flags}`, '-o', join(to, name), path]);
  await build('etcd', 'go.etcd.io/etcd/server/v3');
  await build('kube-apiserver', 'k8s.io/kubernetes/cmd/kube-apiserver');
}

/** Makes the definitions from the operators' own types, as the operators do. */
async function writeDefinitions(to: string): Promise<void> {
  const cwd = join(sources, 'definitions');
  const program = join(to, 'controller-gen');
  await go(cwd, ['build', '-o', program, 'sigs.k8s.io/controller-tools/cmd/controller-gen']);
  const types = [
    'github.com/kedacore/keda/v2/apis/keda/v1alpha1',
    'github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1',
    'sigs.k8s.io/gateway-api/apis/v1',
  ];
  const paths = types.map((path) => `paths=${path}`);
  await run(program, ['crd:crdVersions=v1', ...paths, `output:crd:dir=${join(to, 'all')}`], { cwd });
  await mkdir(join(to, 'definitions'));
  for (const name of kinds) {
    await rename(join(to, 'all', `${name}.yaml`), join(to, 'definitions', `${name}.yaml`));
  }
}
