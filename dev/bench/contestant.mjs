// One contestant in a process of its own: its task comes as an argument, what it measured is printed.
import { rpc } from './calls.mjs';
import { consumers } from './consumers.mjs';
import { publishing } from './publishing.mjs';
import { body, meter, stopwatch, usePackage } from './shared.mjs';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

/** Calls at a time during the warm-up: V8 compiles the same code as for one at a time, which would take long. */
const warmUpAtATime = 50;

const task = JSON.parse(process.argv[2]);
if (task.package) usePackage(task.package);
const tasks = { consume, latency, rpc: call, publish: call };
const result = await tasks[task.what](task);
console.log(JSON.stringify(result));
// Some contestants keep a timer.
process.exit(0);

async function consume({ name, url, queue, count, warmUp, arguments: args }) {
  const { one, finished } = meter(count, warmUp);
  const end = await consumers[name]({ url, queue, one, arguments: args });
  const measured = await finished;
  const { rss } = process.memoryUsage();
  await end();
  return { ...measured, rss };
}

/** Does `count`, so many at a time. */
async function call({ what, name, atATime, count, warmUp, ...settings }) {
  const { one, end } = await (what === 'rpc' ? rpc : publishing)[name](settings);
  const times = async (number, lanes) => {
    let left = number;
    const lane = async () => {
      while (left > 0) {
        left -= 1;
        await one();
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  };
  await times(warmUp, Math.max(atATime, warmUpAtATime));
  await times(Math.min(warmUp, count) / 10, atATime);
  const stop = stopwatch();
  await times(count, atATime);
  const measured = stop(count);
  await end();
  return measured;
}

/** From publish to call, in milliseconds, for a consumer that has nothing else to do. */
async function latency({ name, url, queue, count, warmUp, arguments: args }) {
  const { default: amqplib } = await import('amqplib');
  let done;
  const end = await consumers[name]({ url, queue, one: () => done(), arguments: args });
  const connection = await amqplib.connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  const content = Buffer.from(JSON.stringify(body(1)));
  const measured = [];
  for (let n = 0; n < count + warmUp; n += 1) {
    const arrived = new Promise((resolve) => {
      done = resolve;
    });
    const startedAt = performance.now();
    channel.sendToQueue(queue, content, { contentType: 'application/json' });
    await arrived;
    if (n >= warmUp) measured.push(performance.now() - startedAt);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await connection.close();
  await end();
  measured.sort((a, b) => a - b);
  return { medianMs: measured[Math.floor(measured.length / 2)] };
}
