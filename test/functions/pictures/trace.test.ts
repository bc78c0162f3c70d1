import { trace } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpEvent } from 'warren/testing';
import { createHandler as createAddPoints } from '../../../functions/pictures/add-points.ts';
import { createHandler as createLog } from '../../../functions/pictures/log.ts';
import { createHandler as createNotify } from '../../../functions/pictures/notify-friends.ts';
import { createHandler as createResize } from '../../../functions/pictures/resize.ts';
import { createHandler as createUpload } from '../../../functions/pictures/upload.ts';
import type { EventSource } from '../../../runtime/event-source/event-source.ts';
import { openBroker, type TestBroker } from '../../support/broker.ts';
import { bearer, openDeps, uniqueId } from '../../support/deps.ts';
import { context, form } from '../../support/events.ts';
import { feeding, patience } from '../../support/feeding.ts';
import { plain } from '../../support/pictures.ts';

const spans = new InMemorySpanExporter();
const tracing = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
const client = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };

describe('the trace of an upload', () => {
  const deps = openDeps();
  const user = uniqueId();
  const sources: EventSource[] = [];
  const queues: string[] = [];
  let broker: TestBroker;

  beforeAll(async () => {
    broker = await openBroker();
    for (const create of [createResize, createAddPoints, createNotify, createLog]) {
      const queue = await broker.queue('traced');
      await broker.channel.bindQueue(queue, 'upload-pictures', '');
      // Other tests upload at the same time.
      const filterPatterns = [{ data: { user_id: [user] } }];
      sources.push(await feeding(queue, create(deps), { batchSize: 1, filterPatterns }));
      queues.push(queue);
    }
    tracing.register();
  });
  afterAll(async () => {
    await Promise.all(sources.map((source) => source.stop()));
    await Promise.all([broker.close(), deps.close(), tracing.shutdown()]);
    trace.disable();
  });

  it('goes from the client over HTTP and the broker to each function and its acknowledgement', async () => {
    const picture = await plain(64, 48).png().toBuffer();
    const event = httpEvent({
      ...form([{ content: picture, filename: 'one.png' }]),
      method: 'POST',
      path: '/pictures',
      route: 'POST /pictures',
      headers: { traceparent: `00-${client.traceId}-${client.spanId}-01` },
      authorization: await bearer(user),
    });
    expect((await createUpload(deps)(event, context)).statusCode).toBe(202);

    const ours = () =>
      spans.getFinishedSpans().filter((span) => span.spanContext().traceId === client.traceId);
    const acknowledged = () => queues.filter((queue) => ours().some(({ name }) => name === `ack ${queue}`));
    await expect.poll(acknowledged, patience).toEqual(queues);

    const parents = ours().map(({ name, parentSpanContext }) => [name, parentSpanContext?.spanId]);
    const idOf = (wanted: string) =>
      ours()
        .find(({ name }) => name === wanted)
        ?.spanContext().spanId;
    const publish = idOf('publish upload-pictures');
    expect(publish).toBeDefined();
    const expected = [
      ['POST /pictures', client.spanId],
      ['publish upload-pictures', idOf('POST /pictures')],
      ...queues.flatMap((queue) => [
        [`process upload-pictures:${queue}`, publish],
        [`ack ${queue}`, publish],
      ]),
    ];
    expect(parents.toSorted()).toEqual(expected.toSorted());
  });
});
