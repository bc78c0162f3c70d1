import { families } from './families.ts';
import { aboveLimit, type Finding, type Measurement, rate, type Tally } from './measure.ts';
import { categories } from './passage.ts';

/** Occurrences that fail the check: of banned words, and of a family that is above its limit in their category. */
export function failures({ categories: tallies, findings }: Measurement): Finding[] {
  return findings.filter(({ category, family }) => {
    const tally = tallies.get(category);
    return family === 'banned' || (tally !== undefined && aboveLimit(tally).includes(family));
  });
}

/** One line for each finding: `file:line: family "word" in comments: the sentence`. */
export function listing(findings: readonly Finding[]): string[] {
  return findings.map(
    ({ file, line, family, word, category, sentence }) =>
      `${file}:${line}: ${family} "${word}" in ${category}: ${sentence}`,
  );
}

/** The rates as a table, by category and by top folder; `!` marks a rate above its limit. */
export function table({ categories: byCategory, folders }: Measurement): string[] {
  const limits = families.map(({ limit }) => (limit === undefined ? '-' : limit.toFixed(1)));
  return align([
    ['per 1,000 words', 'words', ...families.map(({ name }) => name)],
    ['limit', '', ...limits],
    ...categories.flatMap((category) => rowOf(category, byCategory.get(category))),
    [],
    ...[...folders].flatMap(([folder, tally]) => rowOf(folder, tally)),
  ]);
}

/** The measurement for another program: rates, limits, findings, and whether the check failed. */
export function toJson(measurement: Measurement, shown: readonly Finding[]): unknown {
  const toRates = (tallies: ReadonlyMap<string, Tally>) =>
    Object.fromEntries(
      [...tallies].map(([name, tally]) => {
        const rates = families.map((family) => [family.name, Number(rate(tally, family.name).toFixed(2))]);
        return [name, { words: tally.words, rates: Object.fromEntries(rates), above: aboveLimit(tally) }];
      }),
    );
  return {
    failed: failures(measurement).length > 0,
    limits: Object.fromEntries(
      families.flatMap(({ name, limit }) => (limit === undefined ? [] : [[name, limit]])),
    ),
    categories: toRates(measurement.categories),
    folders: toRates(measurement.folders),
    findings: shown,
  };
}

function rowOf(name: string, tally: Tally | undefined): string[][] {
  if (!tally || tally.words === 0) {
    return [];
  }
  const above = aboveLimit(tally);
  const rates = families.map(
    (family) => `${rate(tally, family.name).toFixed(1)}${above.includes(family.name) ? '!' : ' '}`,
  );
  return [[name, String(tally.words), ...rates]];
}

function align(rows: readonly string[][]): string[] {
  const [heading = []] = rows;
  const widths = heading.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)) + 1);
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart((widths[column] ?? 0) + 1),
      )
      .join('')
      .trimEnd(),
  );
}
