import { bannedIn, countWords, families, type Match, matchesOf } from './families.ts';
import type { ProseFile } from './files.ts';
import type { Category, Passage } from './passage.ts';
import { sentenceAt } from './sentence.ts';

/** An occurrence of a measured or banned word. */
export interface Finding {
  readonly category: Category;
  readonly file: string;
  /** Starts at 1. */
  readonly line: number;
  /** Name of a family, or `banned`. */
  readonly family: string;
  readonly word: string;
  readonly sentence: string;
}

/** Words of some prose, and how many of them belong to each family. */
export interface Tally {
  words: number;
  readonly counts: Record<string, number>;
}

/** What was measured; both maps keep the order of the files. */
export interface Measurement {
  readonly categories: ReadonlyMap<Category, Tally>;
  /** By the first part of the path; `.` for files at the top. */
  readonly folders: ReadonlyMap<string, Tally>;
  /** Occurrences of banned words and of the families that have a limit. */
  readonly findings: readonly Finding[];
}

/** Counts the words of each family, by category and by top folder. */
export function measure(files: readonly ProseFile[]): Measurement {
  const categories = new Map<Category, Tally>();
  const folders = new Map<string, Tally>();
  const findings: Finding[] = [];
  for (const file of files) {
    const folder = file.path.includes('/') ? (file.path.split('/')[0] ?? '.') : '.';
    for (const passage of file.passages) {
      const find = (family: string, match: Match) => findings.push(finding(file, passage, family, match));
      const tallies = [tallyOf(categories, passage.category), tallyOf(folders, folder)];
      const words = countWords(passage.prose);
      for (const tally of tallies) {
        tally.words += words;
      }
      for (const family of families) {
        const matches = matchesOf(family, passage.prose);
        for (const { counts } of tallies) {
          counts[family.name] = (counts[family.name] ?? 0) + matches.length;
        }
        if (family.limit !== undefined) {
          for (const match of matches) {
            find(family.name, match);
          }
        }
      }
      for (const match of bannedIn(passage.prose)) {
        find('banned', match);
      }
    }
  }
  return { categories, folders, findings };
}

/** Occurrences per 1,000 words; 0 if there are no words. */
export function rate(tally: Tally, family: string): number {
  return tally.words === 0 ? 0 : ((tally.counts[family] ?? 0) * 1000) / tally.words;
}

/** Names of the families whose rate is above their limit. */
export function aboveLimit(tally: Tally): string[] {
  return families
    .filter(({ name, limit }) => limit !== undefined && rate(tally, name) > limit)
    .map(({ name }) => name);
}

function tallyOf<Key>(tallies: Map<Key, Tally>, key: Key): Tally {
  const tally = tallies.get(key) ?? { words: 0, counts: {} };
  tallies.set(key, tally);
  return tally;
}

function finding(file: ProseFile, passage: Passage, family: string, { word, index }: Match): Finding {
  const line = file.source.slice(0, passage.start + index).split('\n').length;
  const sentence = sentenceAt(passage, index);
  return { category: passage.category, file: file.path, line, family, word, sentence };
}
