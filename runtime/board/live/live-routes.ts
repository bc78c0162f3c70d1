import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { hasReplyCode } from '../../amqp/reply-code.ts';
import { Problem } from '../../http/problem.ts';
import type { TopologyMap } from '../api-live-types.ts';
import { checked } from '../query.ts';
import { EventStream } from './event-stream.ts';
import type { LiveSampler } from './live-sampler.ts';
import type { LiveSource } from './live-source.ts';
import { openSpy } from './spy.ts';
import { drawMap, linksOf, readLinks } from './topology-map.ts';

export interface LiveRouteParts {
  /** AMQP URL of the broker. */
  url: string;
  live: LiveSource;
  sampler: LiveSampler;
}

const historyQuery = z.strictObject({ range: z.enum(['hour', 'day']).default('hour') });
const spyQuery = z.strictObject({
  exchange: z.string().min(1).max(255),
  key: z.string().max(255).default('#'),
  text: z.string().min(1).max(1000).optional(),
});

/** Spies at the same time; each has a connection to the broker. */
const maxSpies = 20;
/** A request with HEAD would open a stream that its client cannot close. */
const streamed = { exposeHeadRoute: false };

/** Adds the routes of what happens now. */
export function addLiveRoutes(app: FastifyInstance, { url, live, sampler }: LiveRouteParts): void {
  app.get('/api/live', streamed, async ({ headers }, reply) => {
    if (String(headers.accept ?? '').includes('application/json')) return sampler.sample();
    const events = new EventStream(reply);
    events.onClose(sampler.listen((sample) => events.send(sample)));
    return reply;
  });

  app.get('/api/history', async ({ query }) => sampler.history(checked(historyQuery, query).range));

  app.get('/api/topology', async (): Promise<TopologyMap> => {
    const { api, service, vhost } = live;
    const links = service ? linksOf(service) : api ? await readLinks(api, vhost) : [];
    return drawMap(links, (await sampler.sample()).queues);
  });

  let spies = 0;
  app.get('/api/spy', streamed, async ({ query }, reply) => {
    const { exchange, key, text } = checked(spyQuery, query);
    if (spies >= maxSpies)
      throw new Problem(429, 'Too Many Requests', `expected at most ${maxSpies} spies at a time`);
    spies += 1;
    const closed = () => {
      spies -= 1;
    };
    const begin = await openSpy({ url, exchange, key, text }).catch((error: Error) => {
      closed();
      if (!hasReplyCode(error.cause, 404)) throw error;
      throw new Problem(404, 'Not Found', `exchange: there is no exchange "${exchange}"`);
    });
    const events = new EventStream(reply);
    events.onClose(closed);
    begin(events);
    return reply;
  });
}
