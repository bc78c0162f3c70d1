import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { projectFile } from '../../../dev/stack/project.ts';

export const chartFolder = projectFile('deploy/helm/warren');
export const examplesFolder = projectFile('deploy/helm/examples');
/** What Helm makes of the chart with the values of examples/simple.yaml: `npm run test:helm -- --update` writes it. */
export const renderedFile = projectFile('test/support/helm/simple.yaml');

/** An object of Kubernetes, as far as all have the same fields. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec?: unknown;
}

/** The objects in a stream of YAML. */
export const readObjects = <Kind extends KubernetesObject>(text: string): Kind[] =>
  parseAllDocuments(text).flatMap((each) => (each.contents === null ? [] : [each.toJS() as Kind]));

/** The objects that the chart makes of examples/simple.yaml, without Helm. */
export const renderedObjects = <Kind extends KubernetesObject>(): Kind[] =>
  readObjects<Kind>(readFileSync(renderedFile, 'utf8'));

/** The first line of the file of rendered objects. It changes with every file that they depend on. */
export function renderedHeader(): string {
  const hash = createHash('sha256');
  const files = readdirSync(chartFolder, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  for (const file of [...files, join(examplesFolder, 'simple.yaml')].toSorted()) {
    const path = file.slice(projectFile('.').length);
    hash.update(`${path}\n${readFileSync(file, 'utf8').replaceAll('\r\n', '\n')}\n`);
  }
  return `# Written by \`npm run test:helm -- --update\` from chart and values with the hash ${hash.digest('hex').slice(0, 16)}.`;
}

/** The container of a Deployment or Job of the rendered objects. */
export interface RenderedContainer {
  args: string[];
  env: {
    name: string;
    value?: string;
    valueFrom?: { secretKeyRef: { name: string; key: string; optional?: boolean } };
  }[];
  envFrom?: { secretRef: { name: string } }[];
  resources: { limits: { memory: string } };
}

/** The container of a group of functions, such as `alerts`, or of `prepare`. */
export function renderedContainer(group: string): RenderedContainer {
  const found = renderedObjects().find(
    ({ kind, metadata }) => ['Deployment', 'Job'].includes(kind) && metadata.name === `warren-${group}`,
  );
  const spec = found?.spec as { template: { spec: { containers: [RenderedContainer] } } } | undefined;
  if (!spec) throw new Error(`${group}: expected a Deployment or a Job`);
  return spec.template.spec.containers[0];
}
