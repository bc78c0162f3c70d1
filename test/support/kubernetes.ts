import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { projectFile } from '../../dev/stack/project.ts';
import type { StackEnv } from '../../dev/stack/stack-env.ts';
import { type Environments, parsePlainEnv } from './compose.ts';

interface Reference {
  name: string;
  key: string;
}
/** A manifest of pods, as far as their environment is concerned. */
interface Workload {
  kind: string;
  spec: {
    template: {
      spec: {
        containers: {
          env: {
            name: string;
            value?: string;
            valueFrom?: { secretKeyRef?: Reference; configMapKeyRef?: Reference };
          }[];
          envFrom?: { secretRef: { name: string } }[];
        }[];
      };
    };
  };
}

/** The addresses of the parts. */
type Parts = Pick<StackEnv, 'DATABASE_URL' | 'SMTP_URL' | 'AMQP_URL' | 'AMQP_MANAGEMENT_URL'>;

const base = projectFile('deploy/kubernetes/base');
const example = projectFile('deploy/kubernetes/example');
const files: Readonly<Record<string, string>> = { http: 'http', schedule: 'schedule', prepare: 'prepare' };

/**
 * The environments of the pods of deploy/kubernetes, as Kubernetes makes them of the example's settings and of the secrets of its
 * script.
 *
 * @param folder empty; for the secrets.
 * @param stack the parts, with their administrators.
 * @param given further variables of the script.
 */
export function kubernetesEnvironments(
  folder: string,
  stack: Parts,
  given: Readonly<Record<string, string>> = {},
): Environments {
  execFileSync('sh', [join(example, 'make-secrets.sh')], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: 'postgres://functions:pa55word-of-the-functions@database:5432/warren',
      ADMIN_DATABASE_URL: stack.DATABASE_URL,
      SMTP_URL: stack.SMTP_URL,
      ALERTS_OPS_TO: 'ops@example.com',
      ALERTS_API_TO: 'api@example.com',
      ADMIN_AMQP_URL: stack.AMQP_URL,
      ADMIN_MANAGEMENT_URL: stack.AMQP_MANAGEMENT_URL,
      ...given,
    },
  });
  const read = (path: string) => parsePlainEnv(readFileSync(path, 'utf8'));
  const sources: Readonly<Record<string, Record<string, string>>> = {
    'warren-settings': read(join(example, 'settings.env')),
    'warren-secrets': read(join(folder, 'secrets.env')),
    'warren-broker': read(join(folder, 'broker.env')),
    'warren-admin': read(join(folder, 'admin.env')),
  };
  return {
    secrets: { ...sources['warren-secrets'], ...sources['warren-broker'] },
    of(service) {
      const text = readFileSync(join(base, `${files[service] ?? `worker-${service}`}.yaml`), 'utf8');
      const workloads = parseAllDocuments(text).map((each) => each.toJS() as Workload);
      const pods = workloads.find(({ kind }) => kind === 'Deployment' || kind === 'Job');
      const [container] = pods?.spec.template.spec.containers ?? [];
      const env: Record<string, string> = {};
      for (const { secretRef } of container?.envFrom ?? []) Object.assign(env, sources[secretRef.name]);
      for (const { name, value, valueFrom } of container?.env ?? []) {
        const reference = valueFrom?.secretKeyRef ?? valueFrom?.configMapKeyRef;
        const found = reference ? sources[reference.name]?.[reference.key] : value;
        // Kubernetes replaces the variables that come before.
        if (found !== undefined) {
          env[name] = found.replace(/\$\((\w+)\)/g, (all, other: string) => env[other] ?? all);
        }
      }
      return env;
    },
  };
}
