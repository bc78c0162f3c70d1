import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFile } from '../../dev/stack/project.ts';
import type { StackEnv } from '../../dev/stack/stack-env.ts';
import { type Environments, parsePlainEnv } from './compose.ts';
import { renderedContainer } from './helm/chart.ts';

/** The addresses of the parts. */
type Parts = Pick<StackEnv, 'DATABASE_URL' | 'SMTP_URL' | 'AMQP_URL' | 'AMQP_MANAGEMENT_URL'>;

/**
 * The environments of the chart's pods, as Kubernetes makes them of an example's values and of the secrets of the script.
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
  execFileSync('sh', [projectFile('deploy/helm/make-secrets.sh')], {
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
  const read = (name: string) => parsePlainEnv(readFileSync(join(folder, name), 'utf8'));
  const sources: Readonly<Record<string, Record<string, string>>> = {
    'warren-secrets': read('secrets.env'),
    'warren-broker': read('broker.env'),
    'warren-admin': read('admin.env'),
  };
  return {
    secrets: { ...sources['warren-secrets'], ...sources['warren-broker'] },
    of(service) {
      const container = renderedContainer(service);
      const env: Record<string, string> = {};
      for (const { secretRef } of container.envFrom ?? []) Object.assign(env, sources[secretRef.name]);
      for (const { name, value, valueFrom } of container.env) {
        const reference = valueFrom?.secretKeyRef;
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
