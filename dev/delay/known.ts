import { delayUnitMs } from '../../runtime/topology/delay-names.ts';
import type { Arrival } from './consumer.ts';
import type { Note } from './plan.ts';

/** What is known of a message. */
export interface Known {
  id: string;
  from: number;
  due: number;
  published: number;
  arrivals: Arrival[];
}

/** The messages by their id. */
export function knownOf(notes: readonly Note[], arrivals: readonly Arrival[]): Map<string, Known> {
  const known = new Map<string, Known>();
  for (const note of notes) {
    if ('due' in note) {
      const { id, due, from } = note;
      known.set(id, { id, due, from, published: 0, arrivals: [] });
    } else if ('published' in note) {
      const each = known.get(note.id);
      if (each) each.published += 1;
    }
  }
  for (const arrival of arrivals) known.get(arrival.id)?.arrivals.push(arrival);
  return known;
}

/** When a message arrived first, NaN if it did not. */
export const arrivedAt = ({ arrivals: [first] }: Known): number => first?.at ?? Number.NaN;

/** When a message is handed over by each level, and twice when it is due: to the queue of its destination, and to that. */
export function startsOf({ due, arrivals: [first] }: Known): number[] {
  let left = 0;
  const starts = [due, due];
  for (const level of [...(first?.levels ?? [])].reverse()) {
    left += delayUnitMs * 2 ** level;
    starts.push(due - left);
  }
  // The last of them is the publish, which is no hand-over.
  return starts.slice(0, -1);
}
