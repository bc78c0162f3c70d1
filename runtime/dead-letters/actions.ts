import { dropDeadLetters } from './dead-letters.ts';
import { type Edit, type Edited, replayEdited } from './edit.ts';
import { type ReplayOptions, replayDeadLetters, type Stayed } from './replay.ts';
import type { Taking } from './take.ts';

/** The dead letters that an action means, by their offsets. */
export interface Selection extends Pick<Taking, 'handled' | 'signal'> {
  only: ReadonlySet<number>;
  /** User who acts. */
  by?: string | undefined;
}

/** What an operator does with dead letters. Two actions at the same time would hide dead letters from each other. */
export interface LetterActions {
  /**
   * Puts dead letters back.
   *
   * @returns those that stay.
   */
  replay(selection: Selection, way?: Pick<ReplayOptions, 'to' | 'oneAtATime'>): Promise<Stayed[]>;
  drop(selection: Selection): Promise<void>;
  /** Replaces a dead letter by an edited one. */
  edit(offset: number, edit: Edit, by?: string): Promise<Edited>;
}

/**
 * The actions on the queue of the dead letters, whose offsets are those of the index. They throw as `replayDeadLetters`,
 * `dropDeadLetters` and `replayEdited` do.
 */
export function indexActions(url: string): LetterActions {
  return {
    async replay({ only, ...selection }, way) {
      const { stayed } = await replayDeadLetters(url, {}, { ...way, limit: only.size, only, ...selection });
      return stayed;
    },
    async drop({ only, ...selection }) {
      await dropDeadLetters(url, {}, only.size, undefined, { only, ...selection });
    },
    edit: (offset, edit, by) => replayEdited(url, offset, edit, { by }),
  };
}
