import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { projectFile } from '../../dev/stack/project.ts';

/** A service of compose.yaml, as far as tests look at it. */
export interface Service {
  image: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string>;
  networks?: string[];
  ports?: string[];
  mem_limit?: string;
  logging?: { driver: string; options: Record<string, string> };
  stop_grace_period?: string;
  read_only?: boolean;
  healthcheck?: { disable?: boolean; test?: string[] };
  depends_on?: Record<string, { condition: string }>;
}

/** compose.yaml, its anchors merged and its variables not filled in. */
export function readCompose(): { services: Record<string, Service> } & Record<string, unknown> {
  return parse(readFileSync(projectFile('compose.yaml'), 'utf8'), { merge: true });
}

/**
 * Fills in `${NAME}`, `${NAME:-default}` and `${NAME:?why}` as Compose does; without the colon, an empty variable counts as set.
 * Throws if a required variable is not set.
 */
export function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  const form = /\$\{(\w+)(?:(:?)([-?])([^}]*))?\}/g;
  return text.replace(form, (_all, name: string, colon?: string, kind?: string, rest = '') => {
    const value = env[name];
    if (value || (value === '' && colon === '')) return value;
    if (kind === '-') return rest;
    throw new Error(`${name} is not set: ${rest}`);
  });
}

/** Reads a file of variables as Compose does, such as `deploy/make-env.sh` prints. */
export function parseEnv(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/^(\w+)=(?:'(.*)'|"(.*)"|(.*))$/gm)].map(([, name = '', single, double, bare = '']) => {
      return [name, single ?? double?.replace(/\\(.)/g, '$1') ?? bare];
    }),
  );
}

/** Reads a file of variables as `kubectl create secret --from-env-file` does: values have no quotes of their own. */
export function parsePlainEnv(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
}

/** The environment of each service of an installation. */
export interface Environments {
  /** Passwords and keys by variable. */
  secrets: Readonly<Record<string, string>>;
  of(service: string): Record<string, string>;
}

/**
 * The environments of compose.yaml with new secrets.
 *
 * @param given secrets that are not new.
 * @param env what deploy/make-env.sh finds in its environment, besides PATH.
 */
export function composeEnvironments(
  given: Readonly<Record<string, string>> = {},
  env: Readonly<Record<string, string>> = {},
): Environments {
  const { services } = readCompose();
  const script = projectFile('deploy/make-env.sh');
  const options = { encoding: 'utf8', env: { PATH: process.env['PATH'], ...env } } as const;
  const made = parseEnv(execFileSync('sh', [script], options));
  const secrets = { ...made, ...given };
  return {
    secrets,
    of(service) {
      const given = Object.entries(services[service]?.environment ?? {});
      return Object.fromEntries(given.map(([key, value]) => [key, interpolate(value, secrets)]));
    },
  };
}
