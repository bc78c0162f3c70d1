import { randomUUID } from 'node:crypto';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { RpcClient } from '../../runtime/amqp/rpc-client.ts';
import { RejectedError } from '../../runtime/base/errors.ts';
import { describePicture } from '../../shared/pictures/contracts.ts';
import { ping } from '../../shared/rpc/contracts.ts';
import { type Accepted, type Call, callTimeoutMs } from './accepted.ts';
import type { HttpUser } from './http-user.ts';
import type { Photo } from './photos.ts';
import { repliesQueue } from './replies.ts';

/** The calls of clients over RPC. Each is recorded in `accepted`, whatever its outcome. */
export interface Calls {
  ping(number: number): Promise<void>;
  /** The same through the function for HTTP. */
  pingOverHttp(number: number): Promise<void>;
  describe(): Promise<void>;
  /** Calls the method with an effect, and does not wait for the answer. */
  record(call?: { deadly: boolean }): Promise<void>;
  closeCalls(): Promise<void>;
}

/** @param known the stored picture that calls ask about. */
export function createCalls(
  url: string,
  { accepted, known, http }: { accepted: Accepted; known: { path: string; photo: Photo }; http: HttpUser },
): Calls {
  const rpc = new RpcClient({ url, name: 'faults: caller' });
  // A call is never sent again.
  const caller = new Publisher({ url, name: 'faults: calls with an effect', tries: 1 });
  const record = async (method: Call['method'], ask: () => Promise<Call['outcome']>) => {
    const from = Date.now();
    const outcome = await ask().catch(() => 'failed' as const);
    accepted.calls.push({ method, outcome, from, to: Date.now() });
  };
  const timeoutMs = callTimeoutMs;
  const call = (method: Call['method'], isAnswered: () => Promise<boolean>) =>
    record(method, async () => {
      try {
        return (await isAnswered()) ? 'answered' : 'wrong';
      } catch (error) {
        // A reply that breaks the contract.
        if (error instanceof RejectedError) return 'wrong';
        throw error;
      }
    });

  return {
    ping: (number) =>
      call('ping', async () => {
        const time = `call ${number}`;
        return (await ping.call(rpc, { time }, { timeoutMs })) === `Pong!${time}`;
      }),
    pingOverHttp: (number) =>
      record('ping over HTTP', async () => {
        const body = JSON.stringify({ time: `call ${number}` });
        const headers = { 'content-type': 'application/json' };
        const request = { method: 'POST', body, headers, timeoutMs: callTimeoutMs };
        const { status, text } = await http('/rpc/ping', request);
        if (status !== 200) return 'failed';
        return text === `Pong!call ${number}` ? 'answered' : 'wrong';
      }),
    describe: () =>
      call('describe-picture', async () => {
        const { width, bytes } = await describePicture.call(rpc, { image_path: known.path }, { timeoutMs });
        return width === known.photo.width && bytes === known.photo.body.length;
      }),
    async record({ deadly } = { deadly: false }) {
      const id = randomUUID();
      const from = Date.now();
      // Every second one sends the time at which it ends, as our client does. The others are of clients that do not know the header.
      const timed = accepted.recorded.length % 2 === 0;
      const expiresAt = new Date(from + callTimeoutMs).toISOString();
      const message = {
        exchange: 'rpc',
        routingKey: 'record-call',
        body: { call_id: id, deadly },
        correlationId: id,
        expiresAt: timed ? expiresAt : undefined,
      };
      const properties = { replyTo: repliesQueue, expiration: callTimeoutMs };
      // Without a confirm it may have arrived nevertheless, and is counted like the others.
      await caller.publish({ ...message, ...properties }).catch(() => undefined);
      accepted.recorded.push({ id, from, timed, deadly });
    },
    async closeCalls() {
      await Promise.all([caller.close(), rpc.close()]);
    },
  };
}
