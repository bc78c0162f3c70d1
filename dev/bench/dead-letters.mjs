// Measures how long reading the index of many dead letters takes: through the streams, as a program with `deadLetterEntries` does,
// and by an index in memory with and without its file. Prints a table. It works on a private broker, which WARREN_RABBITMQ names.
//   node --import tsx dev/bench/dead-letters.mjs [number, default 100000]
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { DeadLetterIndex } from '../../runtime/dead-letters/dead-letter-index.ts';
import { deadLetterEntries } from '../../runtime/dead-letters/entries.ts';
import { indexFile } from '../../runtime/dead-letters/index-file.ts';
import { summarizeDeadLetters } from '../../runtime/dead-letters/summary.ts';
import { applyTopology } from '../../runtime/topology/apply.ts';
import { compileTopology } from '../../runtime/topology/compile.ts';
import { deadLetters } from '../../runtime/topology/names.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { publishAllDead } from '../../test/support/dead-letters.ts';
import { buildWarren, here, log, startBroker } from './setup.mjs';

const count = Number(process.argv[2] ?? 100_000);
const rows = [];

buildWarren();
const { url, stop } = await startBroker();
const cache = await mkdtemp(join(tmpdir(), 'warren-cache-'));
const file = indexFile(cache, url);
try {
  const version = await fill();
  await measureStreams();
  await measureIndex();
  await measureCommands();
  console.log(`\n${count} dead letters of 500 bytes, RabbitMQ ${version}, Node ${process.version}`);
  console.log(`${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}\n`);
  for (const [what, result] of rows) console.log(`| ${what} | ${result} |`);
} finally {
  await stop();
  await rm(cache, { recursive: true, force: true });
}

async function fill() {
  await applyTopology(
    url,
    compileTopology(readSection({ deadLetterIndex: true, queues: { shop: {}, bank: {} } })),
  );
  const model = await connect(url, { noDelay: true });
  log(`Publishing ${count} dead letters.`);
  await publishAllDead(await model.createConfirmChannel(), given());
  const { version } = model.connection.serverProperties;
  await model.close();
  return version;
}

/** One in a hundred is of the rare kind. */
function* given() {
  for (let n = 0; n < count; n += 1) {
    yield {
      id: idOf(n),
      queue: n % 5 === 0 ? 'bank' : 'shop',
      error: n % 100 === 99 ? 'Error: rare' : `Error: kind ${n % 7}`,
      at: new Date(1_790_000_000_000 + n * 1000).toISOString(),
      body: 'x'.repeat(500),
    };
  }
}

function idOf(n) {
  return `0b7e1c1e-5b0e-4f3e-9d7a-${String(n).padStart(12, '0')}`;
}

async function timed(what, run) {
  const begun = performance.now();
  const result = await run();
  rows.push([what, `${((performance.now() - begun) / 1000).toFixed(2)} s`]);
  log(rows.at(-1).join(': '));
  return result;
}

async function measureStreams() {
  await timed('the first page, no copy moved before', () => firstEntries({}, 100));
  await timed('moving all other copies, and the counts', () => summarizeDeadLetters(url));
  await timed('streams: the counts', () => summarizeDeadLetters(url));
  await timed('streams: the first page', () => firstEntries({}, 100));
  await timed('streams: the last page', () => firstEntries({ after: count - 101 }, 100));
  await timed('streams: a page of the rare kind', () => firstEntries({ error: 'rare' }, 100));
  await timed('streams: one dead letter near the end by its id', () =>
    firstEntries({ id: idOf(count - 5) }, 1),
  );
}

async function firstEntries(filter, limit) {
  const found = [];
  for await (const entry of deadLetterEntries(url, filter)) if (found.push(entry) === limit) break;
  return expectNumber(found.length, limit);
}

async function measureIndex() {
  const memory = heap();
  const held = new DeadLetterIndex(url);
  await timed('index: read whole, without a file', () => held.update());
  const megabytes = (heap() - memory) / 1e6;
  rows.push(
    ['index: heap', `${megabytes.toFixed(0)} MB`],
    ['process', `${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB`],
  );
  await timed('index held in memory: an update without news', () => held.update());
  await timed('index held in memory: the counts', async () => held.groups());
  await timed('index held in memory: a page of the rare kind, whole', () =>
    wholePage(held, { error: 'rare' }),
  );
  await timed('index held in memory: one dead letter by its id', () => wholePage(held, { id: idOf(7) }, 1));
  await timed('index held in memory: a text in all bodies', () => searchAll(held, 'a text that is missing'));
  await held.close();
  await timed('index: read whole, and the file written', () => withIndex(async () => undefined));
  rows.push(['index: file', `${((await stat(file)).size / 1e6).toFixed(1)} MB`]);
  for (const [what, use] of [
    ['the counts', async (index) => index.groups()],
    ['the first page', (index) => wholePage(index, {})],
    ['a page in the middle', (index) => wholePage(index, {}, 100, count / 2)],
    ['the last page', (index) => wholePage(index, {}, 100, count - 101)],
    ['a page of the rare kind', (index) => wholePage(index, { error: 'rare' })],
    ['one by its id', (index) => wholePage(index, { id: idOf(count - 5) }, 1)],
  ])
    await timed(`index with file: ${what}`, () => withIndex(use));
}

function heap() {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function withIndex(use) {
  const index = new DeadLetterIndex(url, { file });
  try {
    await index.update();
    return await use(index);
  } finally {
    await index.close();
  }
}

async function wholePage(index, filter, limit = 100, after = undefined) {
  expectNumber((await index.read(index.page(filter, { limit, after }))).length, limit);
}

async function searchAll(index, text) {
  for await (const { letter } of index.search(text)) throw new Error(`found ${letter.id}`);
}

async function measureCommands() {
  const warren = async (...args) => {
    const env = { ...process.env, AMQP_URL: url, WARREN_CACHE: cache };
    const program = join(here, '../../dist/package/cli/warren.cjs');
    const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], {
      env,
      maxBuffer: 1e8,
    });
    return stdout;
  };
  await timed('command without a broker: --help', () => warren('dead-letters', '--help'));
  for (const words of [
    'list',
    'list --page',
    `list --page ${count / 2}`,
    'list --page --error rare',
    'summary',
    `show ${idOf(count - 5)}`,
  ]) {
    await timed(`command: ${words}`, () => warren('dead-letters', ...words.split(' ')));
  }
  const model = await connect(url);
  const message = await (await model.createChannel()).get(deadLetters);
  await model.close();
  expectNumber(message.fields.messageCount + 1, count);
  rows.push(['the first dead letter was delivered before', String(message.fields.redelivered)]);
}

function expectNumber(is, expected) {
  if (is !== expected) throw new Error(`expected ${expected} dead letters, got ${is}`);
}
