// Contestants that are no libraries for Node: RabbitMQ's client for Go and its PerfTest. Go or Maven build them, if installed.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { here, log } from './setup.mjs';

const run = promisify(execFile);
const built = join(here, 'node_modules/.others');
const goProgram = join(built, 'consumer');
const jars = join(built, 'jars');

const others = {
  "Go's amqp091, 100 at once": {
    file: goProgram,
    build: ['go', ['build', '-o', goProgram, '.'], 'other/go'],
    async consume({ url, queue, count, warmUp }) {
      const { stdout } = await run(goProgram, [url, queue, String(count), String(warmUp)]);
      return JSON.parse(stdout);
    },
  },
  'PerfTest -q 300 -A 100': {
    file: jars,
    build: ['mvn', ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${jars}`], 'other'],
    // The JVM compiles for some seconds. PerfTest reads no JSON and checks nothing.
    times: 5,
    async consume({ url, queue, count }) {
      const what = ['-h', url, '-p', '-u', queue, '-x', '0', '-y', '1', '-q', '300', '-A', '100'];
      const { stdout } = await run('java', [
        ...['-cp', `${jars}/*`, 'com.rabbitmq.perf.PerfTest'],
        ...[...what, '-D', String(count), '-i', '1'],
      ]);
      const rates = [...stdout.matchAll(/received: (\d+) msg\/s/g)].map(([, rate]) => Number(rate));
      // The first second has the start, the last one ends early.
      const whole = rates.slice(1, -1);
      return { perSecond: whole.reduce((sum, rate) => sum + rate, 0) / whole.length };
    },
  },
};

/** Builds what is missing, and returns the names of those that can run here. */
export function buildOthers() {
  return Object.entries(others)
    .filter(([name, { file, build }]) => {
      const [command, args, folder] = build;
      try {
        if (!existsSync(file))
          execFileSync(command, args, { cwd: join(here, folder), stdio: ['ignore', 2, 2] });
        return true;
      } catch {
        log(`Without ${name}: ${command} is not installed, or failed.`);
        return false;
      }
    })
    .map(([name]) => name);
}

/** How many times as many messages a contestant needs. */
export const timesOf = (name) => others[name]?.times ?? 1;

/** Measures one of them; undefined if the name is that of a contestant in Node. */
export const consumeWithOther = (name) => others[name]?.consume;
