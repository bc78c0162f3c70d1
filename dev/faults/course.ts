import { setTimeout as pause } from 'node:timers/promises';
import type { Fault, Scene } from './fault.ts';
import type { Chance } from './seed.ts';

/** A part of the run: one fault, and the load from the end of the previous leg to its own end. */
export interface Leg {
  /** Undefined for a calm leg. */
  fault: Fault | undefined;
  /** Usual duration. */
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
  /** Why it had no effect, if the fault itself found that out. */
  unfelt: readonly string[];
  /** Promises that were broken while it lasted. */
  broken: readonly string[];
}

interface CourseOptions {
  /** Number of faults that strike. */
  faults: number;
  /** The faults to choose from. */
  from: readonly Fault[];
  away: number;
  /** Duration of each calm leg in seconds. */
  calm: number;
}

/** A run: load without a fault before and after the load with faults. */
export interface Course {
  before: Leg;
  faults: readonly Leg[];
  /** Undefined in a run without faults, in which one calm leg is enough. */
  after: Leg | undefined;
}

/** Pauses before a fault, in seconds. */
const [minPause, maxPause] = [1, 5];

/** Every fault once, in an order of chance; again from the start until there are as many as requested. */
export function planCourse(chance: Chance, { faults: count, from, away, calm }: CourseOptions): Course {
  const order: Fault[] = [];
  while (order.length < count) order.push(...chance.shuffled(from));
  const pauseTime = (minPause + maxPause) / 2;
  return {
    before: leg(undefined, calm),
    faults: order.slice(0, count).map((fault) => leg(fault, pauseTime + fault.takes(away))),
    after: count === 0 ? undefined : leg(undefined, calm),
  };
}

export const legsOf = ({ before, faults, after }: Course): Leg[] => [
  before,
  ...faults,
  ...(after ? [after] : []),
];

function leg(fault: Fault | undefined, seconds: number): Leg {
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  return { fault, seconds, begun, begin: () => begin() };
}

/** Lets one fault strike after the other, with pauses of chance in between. */
export async function strikeAll(
  scene: Omit<Scene, 'unfelt' | 'broken'>,
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
      const [unfelt, broken]: [string[], string[]] = [[], []];
      say(`Fault ${struck.length + 1} of ${legs.length}: ${fault.name}`);
      await fault.strike({
        ...scene,
        unfelt: (why) => unfelt.push(why),
        broken: (promise) => broken.push(promise),
      });
      struck.push({ fault, from, to: Date.now(), unfelt, broken });
    }
    return struck;
  } finally {
    // If a fault failed to strike, stop waiting for the others.
    for (const { begin } of legs) begin();
  }
}
