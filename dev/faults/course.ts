import { setTimeout as pause } from 'node:timers/promises';
import type { Chance } from './seed.ts';
import { type Fault, faults, type Scene } from './strikes.ts';

/** A part of the run: one fault, and the load from the end of the one before it to its own. */
export interface Leg {
  /** Undefined in a run without faults. */
  fault: Fault | undefined;
  /** How long it takes as a rule. */
  seconds: number;
  /** Resolves when it begins. */
  begun: Promise<void>;
  begin(): void;
}

/** A fault that has struck. Times are milliseconds since 1970. */
export interface Struck {
  fault: Fault;
  from: number;
  to: number;
}

interface CourseOptions {
  /** How many faults strike. */
  faults: number;
  /** Names of those that may, default all. */
  only?: readonly string[] | undefined;
  away: number;
}

/** How long a run without faults takes, and the pauses before a fault, in seconds. */
const [withoutFaults, minPause, maxPause] = [10, 1, 5];

/** Every fault once, in an order of chance; again from the start until there are as many as asked for. */
export function planCourse(chance: Chance, { faults: count, only, away }: CourseOptions): Leg[] {
  const meant = faults.filter(({ name }) => !only || only.includes(name));
  const order: Fault[] = [];
  while (order.length < count) order.push(...chance.shuffled(meant));
  if (count === 0) return [leg(undefined, withoutFaults)];
  const pauseTime = (minPause + maxPause) / 2;
  return order.slice(0, count).map((fault) => leg(fault, pauseTime + fault.takes(away)));
}

function leg(fault: Fault | undefined, seconds: number): Leg {
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  return { fault, seconds, begun, begin: () => begin() };
}

/** Lets one fault strike after the other, with pauses of chance in between. */
export async function strikeAll(
  scene: Scene,
  legs: readonly Leg[],
  say: (text: string) => void,
): Promise<Struck[]> {
  const struck: Struck[] = [];
  try {
    for (const { fault, begin } of legs) {
      begin();
      if (!fault) continue;
      await pause((minPause + scene.chance.next() * (maxPause - minPause)) * 1000);
      const from = Date.now();
      say(`Fault ${struck.length + 1} of ${legs.length}: ${fault.name}`);
      await fault.strike(scene);
      struck.push({ fault, from, to: Date.now() });
    }
    return struck;
  } finally {
    // If a fault failed to strike, stop waiting for the others.
    for (const { begin } of legs) begin();
  }
}
