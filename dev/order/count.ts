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
  const behind = inversions(notes, killed);
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
    struck(notes, killed),
    compare(
      'dead letters',
      others.poisonous,
      killed.length > 0 ? [...new Set(others.deadLetters)] : others.deadLetters,
    ),
    counted('messages in the queues', 0, left, left === 0 ? [] : [`${left} messages`]),
    compare(
      'workers ended in order',
      [],
      endings.filter((how) => how !== 'exit code 0'),
    ),
  ];
}

/** Messages that were in the hands of killed workers: without any, the kills have shown nothing. */
function struck(notes: readonly Note[], killed: readonly number[]): Count {
  const open = new Set<string>();
  for (const { step, worker, ...note } of notes) {
    if (!killed.includes(worker)) continue;
    const call = `${worker} ${nameOf(note)}`;
    if (step === 'begun') open.add(call);
    else open.delete(call);
  }
  const problems = killed.length > 0 && open.size === 0 ? ['no worker was killed during a call'] : [];
  return {
    what: 'messages of calls that a kill has ended',
    expected: killed.length > 0 ? 'some' : 0,
    got: open.size,
    problems,
  };
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

/** Deliveries of a message that fails for good: its queue has one delay. */
const attempts = 2;

/**
 * Messages that were begun after a later one of their customer was done. If a kill has cut off acknowledgements, messages come again
 * that were settled, in their order; those that were not settled must not be among them.
 */
function inversions(notes: readonly Note[], killed: readonly number[]): string[] {
  const latest = new Map<string, number>();
  const failures = new Map<string, number>();
  const settled = new Set<string>();
  return notes.flatMap(({ step, ...note }) => {
    const before = latest.get(note.customer) ?? -1;
    const name = nameOf(note);
    if (step === 'failed') failures.set(name, (failures.get(name) ?? 0) + 1);
    if (step === 'done') latest.set(note.customer, note.n);
    if (step === 'done' || failures.get(name) === attempts) settled.add(name);
    const comesAgain = killed.length > 0 && settled.has(name);
    return note.n < before && !comesAgain ? [`${name} after ${before}`] : [];
  });
}

/**
 * Messages that began while another one of their customer was not ended, or that went on when another one had begun. Those of a killed
 * worker are ended by that.
 */
function overlaps(notes: readonly Note[], killed: readonly number[]): string[] {
  const open = new Map<string, Note>();
  return notes.flatMap((note) => {
    const other = open.get(note.customer);
    if (note.step === 'begun') {
      open.set(note.customer, note);
      const isOver = other === undefined || killed.includes(other.worker);
      return isOver ? [] : [`${nameOf(note)} during ${other.n}`];
    }
    if (other?.pid !== note.pid || other.n !== note.n) return [`${nameOf(note)} went on`];
    open.delete(note.customer);
    return [];
  });
}
