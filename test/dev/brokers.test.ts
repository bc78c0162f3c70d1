import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';

/** The series that the command knows, and what dpkg reports for each. */
const versions = { '3.10': '3.10.8-1.1+deb12u2', '4.0': '4.0.5-8', '4.3': '4.3.6-1' };

describe('npm run test:brokers', () => {
  let folder: string;

  /** Programs in place of npx and npm, which note what they are called with. The brokers count as unpacked. */
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'warren-brokers-'));
    const program = (path: string, lines: string) => {
      mkdirSync(join(folder, path, '..'), { recursive: true });
      writeFileSync(join(folder, path), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
    };
    const note = (name: string) =>
      `echo "${name} $* on $WARREN_RABBITMQ" >>'${folder}/calls'; [ "$WARREN_RABBITMQ" != "$BROKEN" ]`;
    for (const name of ['npx', 'npm']) program(`bin/${name}`, note(name));
    const cases = Object.entries(versions).map(
      ([series, version]) => `*rabbitmq-${series}/*) printf ${version};;`,
    );
    program('bin/dpkg-query', `case "$1" in ${cases.join(' ')} esac`);
    for (const series of Object.keys(versions))
      program(`rabbitmq-${series}/warren/rabbitmq-server`, 'exit 1');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const serverOf = (series: string) => join(folder, `rabbitmq-${series}/warren/rabbitmq-server`);
  const run = (args: readonly string[], broken = '') => {
    writeFileSync(join(folder, 'calls'), '');
    const env = {
      PATH: `${folder}/bin:${process.env['PATH']}`,
      WARREN_DATA: folder,
      BROKEN: serverOf(broken),
    };
    const { status, stdout, stderr } = spawnSync('sh', [projectFile('test/brokers.sh'), ...args], {
      env,
      encoding: 'utf8',
    });
    const calls = readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n');
    return { status, stdout, stderr, calls };
  };
  const course =
    'npm run test:faults -- --seed 7 --pictures 300 --alerts 300 --calls 100 --away 8 --faults 14';

  it('runs the whole suite and the fault course of CI on each broker, one after the other', () => {
    const { status, calls, stdout } = run([]);
    expect(status).toBe(0);
    expect(calls).toEqual(
      Object.keys(versions).flatMap((series) => [
        `npx vitest run on ${serverOf(series)}`,
        `${course} on ${serverOf(series)}`,
      ]),
    );
    // CI runs the same course.
    expect(readFileSync(projectFile('.ci/run'), 'utf8')).toContain(` \\\n  ${course}\n`);
    expect(stdout).toMatch(/^4\.3\.6 +the fault course +passed +0 min$/m);
  });

  it('runs only the given tests on the given brokers, without the fault course', () => {
    const { calls, stdout } = run(['4.0', '4.3', '--', 'test/runtime/cli', 'test/e2e']);
    const tests = 'npx vitest run test/runtime/cli test/e2e';
    expect(calls).toEqual([`${tests} on ${serverOf('4.0')}`, `${tests} on ${serverOf('4.3')}`]);
    expect(stdout).toContain('==> RabbitMQ 4.0.5: the tests: passed after 0 min');
  });

  it('a version that fails does not stop the others, and the command fails and names it', () => {
    const { status, calls, stdout, stderr } = run([], '4.0');
    expect(status).toBe(1);
    expect(calls).toHaveLength(6);
    expect(stderr).toBe('failed: the tests on 4.0.5, the fault course on 4.0.5\n');
    expect(stdout).toMatch(/^4\.0\.5 +the tests +FAILED +0 min$/m);
    expect(stdout).toMatch(/^4\.3\.6 +the tests +passed +0 min$/m);
  });

  it('refuses a version that no Debian has, and with --unpack prints the path of the server only', () => {
    expect(run(['4.1'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('expected 3.10, 4.0 or 4.3'),
    });
    expect(run(['--unpack', '4.3']).stdout).toBe(`${serverOf('4.3')}\n`);
  });
});
