import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectFile } from '../../../dev/stack/project.ts';
import type { KubernetesObject } from './chart.ts';

const require = createRequire(import.meta.url);
const run = promisify(execFile);

/** The packages with the models of groups that are not Kubernetes's own. */
const modelsOf: Record<string, string> = {
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
};
const moduleOf = ({ apiVersion }: KubernetesObject) =>
  `${modelsOf[apiVersion.split('/')[0] ?? ''] ?? 'kubernetes-models'}/${apiVersion}`;

type Model = new (data: KubernetesObject) => { validate(): void };

/** What is wrong with objects by the schemas of Kubernetes, KEDA, the Prometheus operator and the Gateway API. */
export function schemaProblems(objects: readonly KubernetesObject[]): string[] {
  return objects.flatMap((each) => {
    const name = `${each.kind} ${each.metadata.name}`;
    const models = require(moduleOf(each)) as Record<string, Model>;
    const Model = models[each.kind];
    if (!Model) return [`${name}: expected a kind of ${each.apiVersion}`];
    try {
      new Model(each).validate();
      return [];
    } catch (error) {
      return [`${name}: ${(error as Error).message}`];
    }
  });
}

/**
 * Fields that the same schemas do not have. They allow them, and TypeScript does not.
 *
 * @returns the compiler's errors, empty if there are none.
 */
export async function unknownFields(objects: readonly KubernetesObject[]): Promise<string> {
  // Inside node_modules, so that TypeScript finds the models.
  const scratch = await mkdtemp(join(projectFile('node_modules'), '.kubernetes-test-'));
  try {
    const imports = objects.map((each) => `import type { I${each.kind} } from '${moduleOf(each)}';`);
    const constants = objects.map(
      (each, n) => `export const it${n}: I${each.kind} = ${JSON.stringify(each)};`,
    );
    await writeFile(join(scratch, 'all.ts'), [...new Set(imports), ...constants].join('\n'));
    const options = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext'];
    const tsc = projectFile('node_modules/typescript/bin/tsc');
    return await run(process.execPath, [tsc, ...options, '--types', '', 'all.ts'], { cwd: scratch }).then(
      () => '',
      (error: { stdout: string }) => error.stdout,
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
