import { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { FunctionLateError } from '../../event-source/invoke.ts';
import { onFailure } from '../../messages/failure-events.ts';
import { onIgnoredSignal } from '../../messages/overdue-runs.ts';
import { hasNoFailures } from '../../messages/verdicts.ts';
import { BlockedLoop } from '../blocked-loop.ts';
import { type LocalFunction, localFunctions } from '../load.ts';
import { ignorePublishes, observePublishes } from './call-publishes.ts';
import { reportClients } from './client-reports.ts';
import { unpackEvent } from './event-codec.ts';
import { FrameReader, readBytes, sendFrame } from './frames.ts';
import { endWithParent } from './orphan-watch.ts';
import { callsFd } from './program.ts';
import {
  type FromProcess,
  type ProcessStart,
  type Recall,
  type Recalled,
  type SentCall,
  type SentEnd,
  type ToProcess,
  usageMs,
} from './protocol.ts';
import { toSent } from './sent-error.ts';
import { WaitingCalls } from './waiting-calls.ts';

/** The process of one function: calls it for the worker that has forked this process, until the worker or the function ends it. */
export function runFunctionProcess(): void {
  endWithParent();
  // An interrupt at a terminal and some supervisors reach the children too. The worker decides when the calls have ended.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => undefined);
  process.once('disconnect', () => process.exit(0));
  let served: Served | undefined;
  const waiting = new WaitingCalls(async (call) => {
    const end = await served?.call(call);
    return end !== undefined && sendEnd(calls, end);
  });
  // Of a rejection too, if nothing has handled it. It may belong to any call, and what it has left behind is unknown.
  process.once('uncaughtException', (error) => {
    waiting.close();
    process.send?.({ kind: 'stray', error: toSent(error) } satisfies FromProcess, () => process.exit(1));
  });
  process.on('message', (message: ToProcess) => {
    if (message.kind === 'ping') send({ kind: 'pong' });
    else served = new Served(message.start);
  });
  const calls = openCalls((message) => {
    if (!('recall' in message)) waiting.take(message);
    else sendFrame(calls, { kind: 'recalled', ids: waiting.recall(message.lane) } satisfies Recalled);
  });
  // Node does not repeat the event for a channel that ended while this process loaded.
  if (!process.connected) process.exit(0);
}

class Served {
  readonly #name: string;
  readonly #blocked: BlockedLoop;
  readonly #toSent: (result: unknown) => unknown;
  readonly #timeoutMs: number;
  readonly #observed: typeof ignorePublishes;
  #function: LocalFunction | undefined;

  constructor(start: ProcessStart) {
    this.#timeoutMs = (start.definition.timeout ?? 6) * 1000;
    this.#name = start.functionName;
    this.#toSent = start.wholeResults ? wholeOf : verdictsOf;
    this.#observed = start.publishes ? observePublishes() : ignorePublishes;
    process.title = `warren function ${this.#name}`;
    this.#blocked = new BlockedLoop(start.blockedMs, (ms) => send({ kind: 'blocked', ms }));
    reportClients((events) => send({ kind: 'clients', events }));
    onFailure((message) => send({ kind: 'copied', message }));
    onIgnoredSignal(start.ignoredMs, () => send({ kind: 'ignored' }));
    void this.#load(start);
    // Loaded only for this, because there may be many such processes.
    const { inspectPort: port } = start;
    if (port !== undefined)
      void import('../../local/debugger.ts').then(({ openDebugger }) => openDebugger(port));
  }

  async call(sent: SentCall): Promise<SentEnd> {
    const { id, lane, until = Number.POSITIVE_INFINITY } = sent;
    const startedAt = performance.now();
    const took = () => performance.now() - startedAt;
    try {
      const call = async () => this.#function?.call.callUntil(unpackEvent(sent), until);
      const { value, published } = await this.#observed(() => this.#blocked.during(this.#name, call));
      const result = this.#toSent(value);
      // The worker may have stopped waiting for it.
      const ms = took();
      const next = lane !== undefined && ms <= this.#timeoutMs && isDone(result);
      return { kind: 'done', id, lane, ms, result: published ? { result, published } : result, next };
    } catch (error) {
      const late = error instanceof FunctionLateError;
      return { kind: 'failed', id, lane, ms: took(), error: toSent(error), late };
    }
  }

  async #load({ functionName, definition, folder }: ProcessStart): Promise<void> {
    try {
      const manifest = { functions: { [functionName]: definition } };
      const local = localFunctions({ manifest, folder, env: process.env }, [functionName]);
      this.#function = local.get(functionName);
      await this.#function?.load();
      reportUsage();
      send({ kind: 'ready' });
    } catch (error) {
      send({ kind: 'unusable', error: toSent(error) });
    }
  }
}

/** Opens the stream of the calls. */
function openCalls(take: (message: SentCall | Recall) => void): Socket {
  const frames = new FrameReader((message) => take(message as SentCall | Recall));
  const buffer = Buffer.allocUnsafeSlow(readBytes);
  const callback = (bytes: number) => {
    frames.push(buffer.subarray(0, bytes));
    return true;
  };
  // The types know `onread` only for a client's socket.
  const options = { fd: callsFd, onread: { buffer, callback } };
  // If it fails, the worker is gone, and this process ends.
  return new Socket(options).on('error', () => undefined);
}

/** Resolves when the end of a call has left this process, with whether the next call of its lane begins. */
async function sendEnd(calls: Socket, end: SentEnd): Promise<boolean> {
  sendFrame(calls, end);
  // If this process ended before that, the worker would take the next call for one that has not begun.
  if (calls.writableLength > 0) await new Promise((resolve) => calls.write('', resolve));
  return end.kind === 'done' && end.next === true;
}

function reportUsage(): void {
  let cpu = process.cpuUsage();
  let loop = performance.eventLoopUtilization();
  setInterval(() => {
    const { user, system } = process.cpuUsage(cpu);
    const { utilization } = performance.eventLoopUtilization(loop);
    cpu = process.cpuUsage();
    loop = performance.eventLoopUtilization();
    const residentBytes = process.memoryUsage.rss();
    send({ kind: 'usage', usage: { cpuSeconds: (user + system) / 1e6, residentBytes, utilization } });
  }, usageMs).unref();
}

/** Whether a result lists no failed message. */
function isDone(result: unknown): boolean {
  return result === undefined || hasNoFailures(result as { batchItemFailures: unknown });
}

/** The part of a result that the worker reads, as JSON: the rest may hold what no process can send. */
function verdictsOf(result: unknown): unknown {
  if (typeof result !== 'object' || result === null || !('batchItemFailures' in result)) return undefined;
  const { batchItemFailures } = result;
  return hasNoFailures({ batchItemFailures })
    ? { batchItemFailures: [] }
    : JSON.parse(JSON.stringify({ batchItemFailures }));
}

/** A result that JSON cannot represent is the error of its call, unless it contains verdicts. */
function wholeOf(result: unknown): unknown {
  try {
    JSON.stringify(result);
    return result;
  } catch (error) {
    const verdicts = verdictsOf(result);
    if (verdicts === undefined) throw error;
    return verdicts;
  }
}

function send(message: FromProcess): void {
  // The worker is gone if the channel is closed, and this process ends.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}
