// Measures the page of the board with 10,000 dead letters: how long a click takes until the list is drawn in Chromium, and how many
// dead letters a job replays per second, beside a plain amqplib client that only moves as many messages between the same queues.
// Prints a table with the counts. It works on a private broker, which WARREN_RABBITMQ names.
//   node --import tsx dev/bench/board.mjs [rounds, default 5]
import { cpus, loadavg } from 'node:os';
import { connect } from 'amqplib';
import { silentLog } from '../../runtime/base/log.ts';
import { boardHeader } from '../../runtime/board/api-types.ts';
import { Board } from '../../runtime/board/board.ts';
import { applyTopology } from '../../runtime/topology/apply.ts';
import { compileTopology } from '../../runtime/topology/compile.ts';
import { deadLetters } from '../../runtime/topology/names.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { openBrowser } from '../../test/support/browser.ts';
import { publishShop, shopSection, shopTotal } from '../../test/support/shop-letters.ts';
import { log, startBroker } from './setup.mjs';
import { median } from './statistics.mjs';

const rounds = Number(process.argv[2] ?? 5);
const target = 'update-stock';
const { url, stop } = await startBroker();
const model = await connect(url, { noDelay: true });
const channel = await model.createConfirmChannel();
const count = async (queue) => (await channel.checkQueue(queue)).messageCount;
const board = new Board({ url, port: 0, log: silentLog, graceMs: 0 });
try {
  const { version } = model.connection.serverProperties;
  await applyTopology(url, compileTopology(readSection(shopSection)));
  await board.start();
  const rows = [];
  const [lists, wholes, replays, plain] = [[], [], [], []];
  for (let round = 0; round < rounds; round += 1) {
    log(`Round ${round + 1} of ${rounds}: publishing ${shopTotal} dead letters.`);
    await publishShop({ channel, count });
    await until(async () => (await api('/api/groups')).total === shopTotal);
    const { first, whole } = await listInChromium();
    lists.push(first);
    wholes.push(whole);
    replays.push(await replay());
    plain.push(await move(target, 'send-receipt'));
    // The broker may hold back the last acknowledgements of the plain client, which are lost with its channel.
    for (const queue of [target, 'send-receipt']) await channel.purgeQueue(queue);
  }
  const perSecond = (times) => times.map((ms) => (shopTotal / ms) * 1000);
  const ratios = perSecond(replays).map((rate, round) => rate / perSecond(plain)[round]);
  rows.push(
    ['from the click to the first rows of 10,000, median', `${median(lists).toFixed(0)} ms`],
    ['the slowest', `${Math.max(...lists).toFixed(0)} ms`],
    ['until all 10,000 are loaded, median', `${median(wholes).toFixed(0)} ms`],
    ['replayed per second, median', median(perSecond(replays)).toFixed(0)],
    ['the slowest', Math.min(...perSecond(replays)).toFixed(0)],
    ['moved per second by plain amqplib, 500 in flight, median', median(perSecond(plain)).toFixed(0)],
    ['replay as a share of that, median', median(ratios).toFixed(2)],
  );
  console.log(
    `\n${rounds} rounds with ${shopTotal} dead letters, RabbitMQ ${version}, Node ${process.version}`,
  );
  console.log(`${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}\n`);
  for (const [what, result] of rows) console.log(`| ${what} | ${result} |`);
} finally {
  await board.stop();
  await model.close();
  await stop();
}

async function api(path, body) {
  const headers = { 'content-type': 'application/json', [boardHeader]: '1' };
  const request = body && { method: 'POST', headers, body: JSON.stringify(body) };
  return (await fetch(`http://127.0.0.1:${board.port}${path}`, request)).json();
}

async function until(holds) {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Milliseconds from a click on the groups until the list has rows, and until it has all. The page itself takes the times. */
async function listInChromium() {
  const browser = await openBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(`http://127.0.0.1:${board.port}/`);
    const all = page.getByRole('link', { name: /All dead letters/ });
    await all.waitFor();
    await page.evaluate(`
      addEventListener('click', () => {
        const begun = performance.now();
        const drawn = () => {
          const grid = document.querySelector('[role=grid]');
          if (grid?.querySelector('[role=row]')) window.first ??= performance.now() - begun;
          if (grid?.ariaRowCount === '${shopTotal}') window.whole = performance.now() - begun;
          else requestAnimationFrame(drawn);
        };
        requestAnimationFrame(drawn);
      }, { capture: true, once: true });
    `);
    await all.click();
    // The page's policy forbids a function that waits in it.
    await until(() => page.evaluate('window.whole !== undefined'));
    return await page.evaluate('({ first: window.first, whole: window.whole })');
  } finally {
    await browser.close();
  }
}

/** Milliseconds of a job that replays all, from its request to the end that a client sees. */
async function replay() {
  const begun = performance.now();
  const { id } = await api('/api/jobs', { action: 'replay', filter: {}, to: target });
  let job;
  await until(async () => {
    job = await api(`/api/jobs/${id}`);
    return job.endedAt !== undefined;
  });
  const ms = performance.now() - begun;
  const counts = { done: job.done, inQueue: await count(target), left: await count(deadLetters) };
  log(`Replay: ${JSON.stringify(counts)} in ${ms.toFixed(0)} ms`);
  if (counts.done !== shopTotal || counts.inQueue !== shopTotal || counts.left !== 0)
    throw new Error(`expected ${shopTotal} replayed dead letters once, got ${JSON.stringify(counts)}`);
  return ms;
}

/** Milliseconds in which a plain client moves as many messages: each is confirmed before it is acknowledged. */
async function move(from, to) {
  const own = await model.createConfirmChannel();
  await own.prefetch(500);
  const begun = performance.now();
  let moved = 0;
  await new Promise((resolve, reject) => {
    own
      .consume(from, (message) => {
        if (!message) return reject(new Error('the consumer was cancelled'));
        own.sendToQueue(to, message.content, { ...message.properties, persistent: true }, (error) => {
          if (error) return reject(error);
          own.ack(message);
          moved += 1;
          if (moved === shopTotal) resolve();
        });
      })
      .catch(reject);
  });
  const ms = performance.now() - begun;
  await own.close();
  return ms;
}
