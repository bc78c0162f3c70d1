import { setTimeout as pause } from 'node:timers/promises';
import type { Leg } from './course.ts';
import type { Photo } from './photos.ts';
import type { Requests } from './requests.ts';
import { type Chance, chanceFrom } from './seed.ts';

export interface LoadOptions {
  seed: string;
  /** How many of each. */
  pictures: number;
  alerts: number;
  orders: number;
  calls: number;
}

const keys = ['critical.rate_limit', 'critical.disk', 'warning.rate_limit', 'info.deploy'] as const;
const users = [1, 2, 3, 4, 5];
const dedupKeys = ['storm-1', 'storm-2', 'storm-3'];
/** One in so many is sent twice, one makes no sense, one alert has a key to be the same by. */
const [oneTwice, oneBad, oneSame] = [20, 50, 10];

/**
 * Puts a load on the system, spread over all legs: each fault finds some of it.
 *
 * @returns for each leg, the end of its requests.
 */
export function runLoad(
  requests: Requests,
  legs: readonly Leg[],
  photos: readonly Photo[],
  options: LoadOptions,
): Map<Leg, Promise<unknown>> {
  const chance = chanceFrom(`load ${options.seed}`);
  const isOneIn = (many: number) => chance.next() < 1 / many;
  const tasks: (() => Promise<void>)[] = [];
  for (let n = 1; n <= options.pictures; n += 1) {
    const [user, photo, twice] = [chance.pick(users), chance.pick(photos), isOneIn(oneTwice)];
    const bad = isOneIn(oneBad);
    if (bad || chance.next() < 0.5) {
      tasks.push(() => requests.publishPicture(n, user, bad ? undefined : photo, twice));
    } else tasks.push(() => requests.upload(user, photo, twice));
  }
  for (let n = 0; n < options.alerts; n += 1) {
    const [routingKey, good, twice] = [chance.pick(keys), !isOneIn(oneBad), isOneIn(oneTwice)];
    const dedupKey = good && isOneIn(oneSame) ? chance.pick(dedupKeys) : undefined;
    tasks.push(() => requests.alert({ routingKey, good, dedupKey }, twice));
  }
  for (let n = 0; n < options.orders; n += 1) {
    tasks.push(() => requests.order(n % 2 === 0 ? 'walk' : 'wash', n));
  }
  for (let n = 0; n < options.calls; n += 1) {
    tasks.push(callOf(requests, n));
  }
  const work = new Map<Leg, Promise<void>[]>(legs.map((leg) => [leg, []]));
  for (const task of tasks) {
    const { leg, after } = momentOf(chance, legs);
    const start = async () => {
      await leg.begun;
      await pause(after * 1000);
      await task();
    };
    work.get(leg)?.push(start());
  }
  return new Map([...work].map(([leg, all]) => [leg, Promise.all(all)]));
}

/** Each method in turn. */
export function callOf(requests: Requests, n: number): () => Promise<void> {
  const each = [
    () => requests.ping(n),
    () => requests.describe(),
    () => requests.record(),
    () => requests.pingOverHttp(n),
  ];
  return each[n % each.length] as () => Promise<void>;
}

/** A moment of the whole, as if each leg took as long as it does as a rule. */
function momentOf(chance: Chance, legs: readonly Leg[]): { leg: Leg; after: number } {
  let after = chance.next() * legs.reduce((sum, { seconds }) => sum + seconds, 0);
  for (const leg of legs) {
    if (after < leg.seconds) return { leg, after };
    after -= leg.seconds;
  }
  return { leg: legs.at(-1) as Leg, after: 0 };
}
