import { WarrenError } from '../../base/errors.ts';
import type { LetterActions, Selection } from '../actions.ts';
import { dropDeadLetters } from '../dead-letters.ts';
import { replayEdited } from '../edit.ts';
import { replayDeadLetters, type Stayed } from '../replay.ts';
import type { LetterPass } from '../take.ts';
import type { OtherLetters } from './other-letters.ts';

/**
 * The actions on the dead letters of other clients' queues. They throw as those of the project's own dead letters do, and
 * WarrenError ERR_BROKER_REFUSED for a stream, from which nothing can be removed.
 */
export function otherActions(url: string, letters: OtherLetters): LetterActions {
  /** The queues that the selected dead letters are in. */
  const partsOf = (only: ReadonlySet<number>) => {
    const parts = new Map<string, Set<number>>();
    for (const offset of only) {
      const source = letters.store.get(offset)?.source;
      if (source === undefined) continue;
      const known = parts.get(source);
      if (known) known.add(offset);
      else parts.set(source, new Set([offset]));
    }
    return [...parts].map(([queue, offsets]) => ({ queue, offsets }));
  };
  const sourceOf = (queue: string, expected: number) => {
    const { kind } = letters.queues.find((each) => each.queue === queue) ?? {};
    if (kind === 'stream') {
      const text = `queue "${queue}" is a stream: its messages stay until it removes them itself`;
      throw new WarrenError('ERR_BROKER_REFUSED', text);
    }
    return { queue, pass: passOver(letters.store.offsetsOf(queue), expected) };
  };
  /** Removes what is gone from memory at once: the next update may be far away. */
  const noted = ({ handled, signal }: Selection): Pick<Selection, 'handled' | 'signal'> => ({
    signal,
    handled(offset, fate) {
      if (fate === 'remove' && offset !== undefined) letters.store.remove(offset);
      handled?.(offset, fate);
    },
  });
  return {
    async replay(selection: Selection, way) {
      const stayed: Stayed[] = [];
      for (const { queue, offsets } of partsOf(selection.only)) {
        const part = await letters.during(queue, () => {
          const source = sourceOf(queue, offsets.size);
          const options = { ...way, limit: offsets.size, only: offsets, source, ...noted(selection) };
          return replayDeadLetters(url, {}, options);
        });
        stayed.push(...part.stayed);
      }
      return stayed;
    },
    async drop(selection) {
      for (const { queue, offsets } of partsOf(selection.only)) {
        await letters.during(queue, () => {
          const end = { only: offsets, source: sourceOf(queue, offsets.size), ...noted(selection) };
          return dropDeadLetters(url, {}, offsets.size, undefined, end);
        });
      }
    },
    async edit(offset, edit) {
      const source = letters.store.get(offset)?.source;
      if (source === undefined) return 'gone';
      const edited = await letters.during(source, () =>
        replayEdited(url, offset, edit, { source: sourceOf(source, 1) }),
      );
      if (typeof edited === 'object') letters.store.remove(offset);
      return edited;
    },
  };
}

/** The pass over a queue whose dead letters are known in memory. */
function passOver(offsets: Map<string, number[]>, expected: number): LetterPass {
  return {
    expected: () => expected,
    take: (fingerprint) => offsets.get(fingerprint)?.shift(),
    mark: () => undefined,
    close: async () => undefined,
  };
}
