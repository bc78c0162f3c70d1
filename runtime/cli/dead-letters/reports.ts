import { escapeControls } from '../../base/visible.ts';
import type { DeadLetterEntry } from '../../dead-letters/entries.ts';
import type { Progress, ProgressState } from '../../dead-letters/take.ts';

export function warn(text: string): void {
  console.error(escapeControls(`warren: ${text}`));
}

const progressMs = 2000;

/** Returns a function that reports a text on stderr every two seconds, so that a quick command prints none. */
export function everyTwoSeconds(): (text: () => string) => void {
  let saidAt = Date.now();
  return (text) => {
    if (Date.now() - saidAt < progressMs) return;
    saidAt = Date.now();
    console.error(text());
  };
}

/** Reports the progress of a command that works on the queue. */
export function reporter(): Progress {
  const report = everyTwoSeconds();
  const progress = (state: ProgressState) =>
    report(() => {
      if ('entries' in state) return `read ${state.entries} entries of the index`;
      return `looked at ${state.read} of ${state.total}, ${state.matching} of them were meant`;
    });
  const held = () => warn('another command may hold dead letters: repeat this one when that has ended');
  return Object.assign(progress, { held });
}

/** Reports on stderr how many entries were read. */
export async function* reported(entries: AsyncIterable<DeadLetterEntry>): AsyncGenerator<DeadLetterEntry> {
  const report = everyTwoSeconds();
  let read = 0;
  for await (const entry of entries) {
    read += 1;
    report(() => `read ${read} entries of the index`);
    yield entry;
  }
}
