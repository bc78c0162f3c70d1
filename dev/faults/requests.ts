import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { alertRaised } from '../../shared/alerts/contracts.ts';
import { walkOrdered, washOrdered } from '../../shared/bookings/contracts.ts';
import { announcement } from '../../shared/pictures/contracts.ts';
import { storageSettings } from '../../shared/storage/settings.ts';
import { createStorage } from '../../shared/storage/storage.ts';
import type { Accepted, AcceptedAlert, AcceptedOrder, OwnMessage, Published } from './accepted.ts';
import { type Calls, createCalls } from './calls.ts';
import { createHttpUser } from './http-user.ts';
import type { Parts } from './parts.ts';
import type { Photo } from './photos.ts';

/** A message of the harness's own function: what it does, and the gate that it waits for. */
export interface Work {
  does: 'work' | 'exit' | 'memory' | 'block' | 'wait' | 'reject' | 'hold';
  gate?: string;
}

/** The requests of users and other programs. Each refused request is repeated until it is accepted. */
export interface Requests extends Omit<Calls, 'closeCalls'> {
  readonly accepted: Accepted;
  upload(userId: number, photo: Photo, twice: boolean): Promise<void>;
  /** As a program does that knows nothing of our functions. */
  publishPicture(id: number, userId: number, photo: Photo | undefined, twice: boolean): Promise<void>;
  alert(alert: Pick<AcceptedAlert, 'routingKey' | 'good' | 'dedupKey'>, twice: boolean): Promise<void>;
  /** @param slot a number that no other order has: orders do not compete for walkers. */
  order(service: AcceptedOrder['service'], slot: number): Promise<void>;
  /** Sends a message to the harness's own function. @returns its id. */
  send(queue: string, work: Work, end: OwnMessage['end']): Promise<string>;
  close(): Promise<void>;
}

/** For an answer to an upload, in milliseconds. */
const uploadTimeoutMs = 15_000;

/** Start of the first order. */
const firstSlot = Date.parse('2040-01-01T00:00:00Z');

const known = 'originals/known.jpg';

/** @param photo the picture that calls ask about; it is stored first. */
export async function createRequests({ env }: Parts, photo: Photo): Promise<Requests> {
  const http = createHttpUser(env);
  const publisher = new Publisher({ url: env.AMQP_URL, name: 'faults: publisher' });
  const storage = createStorage(readSettings({ storage: storageSettings }, env).storage);
  const accepted: Accepted = {
    pictures: [],
    alerts: [],
    orders: [],
    calls: [],
    recorded: [],
    messages: [],
    requests: [],
    refusals: [],
  };
  await storage.put(known, photo.body, 'image/jpeg');

  const calls = createCalls(env.AMQP_URL, { accepted, http, known: { path: known, photo } });

  const untilAccepted = async <T>(attempt: () => Promise<T | undefined>): Promise<T> => {
    const from = Date.now();
    for (;;) {
      const result = await attempt().catch(() => undefined);
      if (result !== undefined) {
        accepted.requests.push({ from, to: Date.now() });
        return result;
      }
      accepted.refusals.push(Date.now());
      await pause(500);
    }
  };
  const publish = async (
    message: Parameters<typeof publisher.publish>[0],
    twice: boolean,
  ): Promise<Published> => {
    const from = Date.now();
    const times = twice ? 2 : 1;
    for (let n = 0; n < times; n += 1) await untilAccepted(() => publisher.publish(message));
    return { times, from, to: Date.now() };
  };

  return {
    accepted,
    ...calls,
    async upload(userId, photo, twice) {
      // A picture is uploaded once, however often its request is repeated.
      const headers = { 'idempotency-key': randomUUID() };
      const ask = async () => {
        const body = new FormData();
        body.append('picture', new Blob([new Uint8Array(photo.body)], { type: 'image/jpeg' }), 'photo.jpg');
        const request = { method: 'POST', body, headers, timeoutMs: uploadTimeoutMs };
        const { status, text } = await http('/pictures', request, userId);
        return status === 202 ? (JSON.parse(text) as { image_id: number }).image_id : undefined;
      };
      const from = Date.now();
      const id = await untilAccepted(ask);
      if (twice) await untilAccepted(ask);
      const published = { times: 1, from, to: Date.now() };
      accepted.pictures.push({ id, userId, photo, published });
    },
    async publishPicture(id, userId, photo, twice) {
      const path = `originals/${id}.${photo?.extension ?? 'jpg'}`;
      const content = photo?.body ?? Buffer.from('not a picture');
      await untilAccepted(async () => (await storage.put(path, content, 'image/jpeg')) ?? true);
      const message = announcement({ image_id: id, user_id: userId, image_path: path });
      const published = await publish(message, twice);
      accepted.pictures.push({ id, userId, photo, published });
    },
    async alert({ routingKey, good, dedupKey }, twice) {
      const [id, token] = [randomUUID(), randomUUID()];
      const body = good ? `Something is up: ${token}` : Buffer.from(`{"cut off": "${token}`);
      const headers = dedupKey === undefined ? {} : { dedup_key: dedupKey };
      const message = alertRaised.message(body, { routingKey, headers, messageId: id });
      const published = await publish({ ...message, contentType: 'application/json' }, twice);
      accepted.alerts.push({ id, routingKey, token, good, dedupKey, published });
    },
    async order(service, slot) {
      const [id, dog] = [randomUUID(), randomUUID()];
      // A wash and its walk end within two hours.
      const at = new Date(firstSlot + slot * 2 * 3_600_000).toISOString();
      const wash = { order_id: id, user_id: 1, dog, at };
      const message =
        service === 'wash' ? washOrdered.message(wash) : walkOrdered.message({ ...wash, minutes: 60 });
      accepted.orders.push({ id, service, dog, published: await publish(message, slot % 20 === 0) });
    },
    async send(queue, work, end) {
      const id = randomUUID();
      const message = { exchange: '', routingKey: queue, body: { id, ...work }, messageId: id };
      accepted.messages.push({ id, queue, end, published: await publish(message, false) });
      return id;
    },
    async close() {
      await Promise.all([publisher.close(), calls.closeCalls()]);
    },
  };
}
