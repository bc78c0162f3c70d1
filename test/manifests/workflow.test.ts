import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectFile } from '../../dev/stack/project.ts';

interface Step {
  id?: string;
  name?: string;
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
  env?: Record<string, string>;
}
interface Job {
  needs?: string[];
  environment?: string;
  permissions?: Record<string, string>;
  steps: Step[];
}

describe('.github/workflows/ci.yml', () => {
  let text: string;
  let jobs: Record<string, Job>;
  const job = (name: string): Job => jobs[name] ?? { steps: [] };
  const using = (name: string, action: string) =>
    job(name).steps.filter(({ uses }) => uses?.startsWith(`${action}@`));

  beforeAll(async () => {
    text = await readFile(projectFile('.github/workflows/ci.yml'), 'utf8');
    ({ jobs } = parse(text) as { jobs: Record<string, Job> });
  });

  it('workflow: every action is pinned to a commit, with its version for people', () => {
    const actions = [...text.matchAll(/uses: (.*)/g)].map(([, action]) => action);
    expect(actions.length).toBeGreaterThan(8);
    for (const action of actions) expect(action).toMatch(/^[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it('workflow: no install script and no bundler runs in a job with credentials', () => {
    const withCredentials = Object.entries(jobs).filter(([, each]) => {
      const writes = Object.values(each.permissions ?? {}).includes('write');
      return writes || each.environment !== undefined || JSON.stringify(each).includes('secrets.');
    });
    expect(withCredentials.map(([name]) => name).toSorted()).toEqual(['aws', 'publish']);
    for (const [name, { steps }] of withCredentials) {
      for (const { run = '', env } of steps) {
        expect(run, name).not.toMatch(/npm (install|rebuild)|npm ci(?! --ignore-scripts)/);
        expect(env?.['COMMAND'], name).not.toBe('package');
      }
    }
  });

  it('workflow: the deployment takes what the job without credentials packaged', () => {
    expect(job('aws').needs).toContain('package');
    const [up] = using('package', 'actions/upload-artifact');
    const [down] = using('aws', 'actions/download-artifact');
    expect(down?.with).toMatchObject({ name: up?.with?.['name'], path: up?.with?.['path'] });
    expect(job('package').permissions).toBeUndefined();
    expect(job('package').environment).toBeUndefined();
  });

  it('workflow: packaging and deploying take the same parameters, which may contain spaces', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'warren-workflow-'));
    try {
      await writeFile(join(folder, 'npx'), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
      const DEPLOY_PARAMS = 'mailFrom=Warren <warren@example.com>\n\nsubnets=subnet-1,subnet-2';
      for (const [name, command] of Object.entries({ package: 'package', aws: 'deploy' })) {
        const step = job(name).steps.find(({ env }) => env?.['COMMAND'] === command);
        const env = { PATH: `${folder}:${process.env['PATH']}`, COMMAND: command, DEPLOY_PARAMS };
        // With a socket as its input, bash takes itself for a remote shell and reads its startup files.
        const args = execFileSync('bash', ['-e', '-c', step?.run ?? 'exit 9'], {
          env,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        expect(args.trim().split('\n')).toEqual([
          ...['serverless', command, '--stage', 'prod', '--package', 'dist/aws'],
          ...['--param=mailFrom=Warren <warren@example.com>', '--param=subnets=subnet-1,subnet-2'],
        ]);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('workflow: a published image has an SBOM, its provenance, and a signature of its digest', () => {
    const [push] = using('publish', 'docker/build-push-action');
    expect(push?.with).toMatchObject({ push: true, provenance: 'mode=max', sbom: true, 'no-cache': true });
    const [attestation] = using('publish', 'actions/attest-build-provenance');
    expect(attestation?.with).toMatchObject({
      'subject-digest': `\${{ steps.${push?.id}.outputs.digest }}`,
      'push-to-registry': true,
    });
    expect(job('publish').permissions).toMatchObject({ 'id-token': 'write', attestations: 'write' });
  });

  it('workflow: nothing is released before the known vulnerabilities of its packages were looked up', () => {
    const commands = job('audit').steps.map(({ run }) => run);
    expect(commands).toContain('npm audit --omit=dev --audit-level=high');
    for (const name of ['publish', 'aws']) expect(job(name).needs).toContain('audit');
  });
});
