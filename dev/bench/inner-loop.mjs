// The inner loop, in seconds: from the command until a function answers, cold (neither data nor anything that a start before has written)
// and warm, and from a save until the new code answers. `npm start` starts broker, database, storage and mailbox as well; for
// `serverless offline` with serverless-offline-sqs, which is fed with the same functions, they and an SQS (moto) run already.
// Contestants take turns, and the numbers are medians.
//   npm run bench:inner-loop [-- rounds, default 5]
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Table from 'cli-table3';
import { freePort, freePorts } from '../../runtime/local/free-port.ts';
import { pythonWithTools } from '../../test/support/deploy/python.ts';
import { portNames } from '../stack/ports.ts';
import { startStack } from '../stack/stack.ts';
import { begin, benchProject, peerFile } from './inner-loop-project.mjs';
import { installContestants, log } from './setup.mjs';
import { median } from './statistics.mjs';

const rounds = Number(process.argv[2] ?? 5);
/** Seconds after which a start or a reload counts as failed. */
const limit = 180;

installContestants();
const python = await pythonWithTools();
const project = await benchProject();
const parts = await startStack({
  dataDir: join(project.folder, '.parts'),
  ports: 'free',
  functions: undefined,
  given: {},
  report: () => undefined,
});
const sqsPort = await freePort();
const sqs = begin(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(sqsPort)], {
  cwd: project.folder,
});

const secondsSince = (begun) => (performance.now() - begun) / 1000;

/** @returns whether the page answered as expected, within the limit and before the program ended. */
async function untilPage(program, port, isExpected) {
  const begun = performance.now();
  while (secondsSince(begun) < limit && !program.hasEnded()) {
    const text = await fetch(`http://127.0.0.1:${port}/`).then(
      (response) => response.text(),
      () => '',
    );
    if (isExpected(text)) return true;
    await pause(20);
  }
  return false;
}

const serverless = [
  'node_modules/serverless/bin/serverless.js',
  'offline',
  'start',
  '--noSponsor',
  '--host',
  '127.0.0.1',
];
const contestants = [
  { name: 'npm start', reloads: true, start: (ports) => project.start(['start'], ports) },
  {
    name: 'npm start -- --no-reload',
    reloads: false,
    start: (ports) => project.start(['start', '--no-reload'], ports),
  },
  {
    name: 'serverless offline, serverless-offline-sqs',
    reloads: true,
    async start({ http, lambda }) {
      await project.writePeer(`http://127.0.0.1:${sqsPort}`);
      const args = ['--config', peerFile, '--httpPort', http, '--lambdaPort', lambda].map(String);
      return begin(process.execPath, [...serverless, ...args], {
        cwd: project.folder,
        env: { ...process.env, ...parts.env },
      });
    },
  },
].map((each) => ({ ...each, cold: [], warm: [], reload: [] }));

async function measure(contestant, kind, round) {
  const ports = await freePorts(portNames);
  await project.writePage(project.page);
  if (kind === 'cold') await project.forget();
  const begun = performance.now();
  const program = await contestant.start(ports);
  const isUp = await untilPage(program, ports.http, (text) => text.includes('<html'));
  contestant[kind].push(isUp ? secondsSince(begun) : Number.NaN);
  if (kind === 'warm' && contestant.reloads && isUp) {
    const body = `saved in round ${round}`;
    const saved = performance.now();
    await project.writePage(`export const handler = async () => ({ statusCode: 200, body: '${body}' });\n`);
    const isNew = await untilPage(program, ports.http, (text) => text === body);
    contestant.reload.push(isNew ? secondsSince(saved) : Number.NaN);
  }
  await program.end();
  const last = ['cold', 'warm', 'reload'].map((each) => `${each} ${contestant[each].at(-1)?.toFixed(2)}`);
  log(`${contestant.name}: ${last.join(', ')}`);
}

try {
  for (let round = 0; round < rounds; round += 1) {
    for (const contestant of contestants)
      for (const kind of ['cold', 'warm']) await measure(contestant, kind, round);
  }
} finally {
  await sqs.end();
  await parts.stop();
  await rm(project.folder, { recursive: true, force: true });
}
const table = new Table({
  head: ['', 'cold, s', 'warm, s', 'reload, s'],
  colAligns: ['left', 'right', 'right', 'right'],
});
const shown = (values) => (values.length === 0 ? 'none' : median(values).toFixed(2));
for (const { name, cold, warm, reload } of contestants)
  table.push([name, shown(cold), shown(warm), shown(reload)]);
console.log(String(table));
