import { type Count, compare } from '../faults/compare.ts';
import { type Note, nameOf } from './notes.ts';

/** What a course has left. */
export interface Outcome {
  notes: readonly Note[];
  /** The messages that had to be done, and those that fail for good. */
  messages: readonly string[];
  poisonous: readonly string[];
  /** Processes that were killed. */
  killed: readonly number[];
  /** How the workers ended that were asked to. */
  endings: readonly string[];
  /** Messages that are left in the queues, and names of dead letters. */
  left: number;
  deadLetters: readonly string[];
}

/** Counts messages out of order, and what is left. */
export function count({ notes, messages, killed, endings, left, ...others }: Outcome): Count[] {
  const done = notes.filter(({ step }) => step === 'done');
  const [first, again] = firstOf(done);
  const behind = inversions(first);
  const together = overlaps(notes, killed);
  const allowed = killed.length > 0 ? 'some' : 0;
  return [
    compare('messages done', messages, first.map(nameOf)),
    counted('messages in the order of their customer', first.length, first.length - behind.length, behind),
    counted('messages of a customer at a time', 1, together.length === 0 ? 1 : 2, together),
    {
      what: 'messages done again',
      expected: allowed,
      got: again.length,
      problems: killed.length > 0 ? [] : again.map((note) => `again: ${nameOf(note)}`),
    },
    compare('dead letters', others.poisonous, others.deadLetters),
    counted('messages in the queues', 0, left, left === 0 ? [] : [`${left} messages`]),
    compare(
      'workers ended in order',
      [],
      endings.filter((how) => how !== 'exit code 0'),
    ),
  ];
}

const counted = (what: string, expected: number, got: number, problems: string[]): Count => {
  return { what, expected, got, problems };
};

/** The first time that each message was done, and the others. */
function firstOf(done: readonly Note[]): [Note[], Note[]] {
  const known = new Set<string>();
  const [first, again]: [Note[], Note[]] = [[], []];
  for (const note of done) {
    (known.has(nameOf(note)) ? again : first).push(note);
    known.add(nameOf(note));
  }
  return [first, again];
}

/** Messages that were done after a later one of their customer. */
function inversions(first: readonly Note[]): string[] {
  const latest = new Map<string, number>();
  return first.flatMap((note) => {
    const before = latest.get(note.customer) ?? -1;
    latest.set(note.customer, Math.max(before, note.n));
    return note.n < before ? [`${nameOf(note)} after ${before}`] : [];
  });
}

/** Messages that began while another one of their customer was not ended. Those of a killed process are ended by that. */
function overlaps(notes: readonly Note[], killed: readonly number[]): string[] {
  const open = new Map<string, Note>();
  return notes.flatMap((note) => {
    const other = open.get(note.customer);
    if (note.step !== 'begun') {
      if (other?.pid === note.pid && other.n === note.n) open.delete(note.customer);
      return [];
    }
    open.set(note.customer, note);
    const isOver = other === undefined || killed.includes(other.pid);
    return isOver ? [] : [`${nameOf(note)} during ${other.n}`];
  });
}
