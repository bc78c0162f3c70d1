import type { Json } from './document-types.ts';
import type { Misfit } from './misfit.ts';
import { boundProblems } from './schema-bounds.ts';
import {
  accepts,
  alternativesOf,
  described,
  isReference,
  type Merged,
  merged,
  type Placed,
  pathOf,
  propertiesOf,
  requiredOf,
  typesOf,
  valuesOf,
} from './schema-parts.ts';

/**
 * Lists why values that fit one schema may not fit another: by types, properties, values, limits and alternatives. Two patterns are
 * compared as they are written.
 *
 * @param from schema of the values.
 * @param to schema that should accept them.
 * @param removals whether `to` belongs to a reader, who misses also an optional property that `from` does not know.
 */
export function misfits(from: Placed, to: Placed, { removals }: { removals: boolean }): Misfit[] {
  return compare(from, to, [], { removals, seen: new Set() });
}

interface Comparison {
  removals: boolean;
  /** The pairs of references that are being compared, because schemas may contain themselves. */
  seen: ReadonlySet<string>;
}

function compare(from: Placed, to: Placed, path: readonly string[], comparison: Comparison): Misfit[] {
  const pair = `${pathOf(from)} ${pathOf(to)}`;
  const isRecursive = isReference(from.schema) && isReference(to.schema);
  if (isRecursive && comparison.seen.has(pair)) return [];
  const seen = isRecursive ? new Set([...comparison.seen, pair]) : comparison.seen;
  const within = { ...comparison, seen };
  const alternatives = alternativesOf(to);
  return alternativesOf(from).flatMap((one) => {
    const results = alternatives.map((other) => compareOne(one, other, path, within));
    if (results.some((problems) => problems.length === 0)) return [];
    const [only = []] = results;
    if (results.length === 1) return only;
    const accepted = alternatives.map(({ schema }) => described(schema)).join(' or ');
    return [{ path, kind: 'type' as const, given: described(one.schema), accepted }];
  });
}

function compareOne(from: Placed, to: Placed, path: readonly string[], comparison: Comparison): Misfit[] {
  const [given, accepting] = [merged(from), merged(to)];
  const types = typesOf(given.schema).filter((type) => !accepts(typesOf(accepting.schema), type));
  if (types.length > 0) {
    return [{ path, kind: 'type', given: described(given.schema), accepted: described(accepting.schema) }];
  }
  return [
    ...valueProblems(given.schema, accepting.schema, path),
    ...boundProblems(given.schema, accepting.schema, path),
    ...propertyProblems(given, accepting, path, comparison),
    ...itemProblems(given, accepting, path, comparison),
  ];
}

function valueProblems(from: Json, to: Json, path: readonly string[]): Misfit[] {
  const [given, accepted] = [valuesOf(from), valuesOf(to)];
  if (!accepted) return [];
  const texts = accepted.map((value) => JSON.stringify(value));
  if (!given) return [{ path, kind: 'value', given: 'any', accepted: texts.join(', ') }];
  const further = given.map((value) => JSON.stringify(value)).filter((value) => !texts.includes(value));
  return further.length === 0
    ? []
    : [{ path, kind: 'value', given: further.join(', '), accepted: texts.join(', ') }];
}

function propertyProblems(
  from: Merged,
  to: Merged,
  path: readonly string[],
  comparison: Comparison,
): Misfit[] {
  const [given, accepted] = [propertiesOf(from.schema), propertiesOf(to.schema)];
  const always = requiredOf(from.schema);
  return [
    ...requiredOf(to.schema)
      .filter((name) => !always.includes(name))
      .map((name): Misfit => {
        const kind = name in given ? 'missing' : 'unknown';
        return { path: [...path, name], kind, given: 'may be missing', accepted: 'is required' };
      }),
    ...Object.keys(accepted)
      .filter((name) => comparison.removals && !(name in given) && !requiredOf(to.schema).includes(name))
      .map(
        (name): Misfit => ({
          path: [...path, name],
          kind: 'removed',
          given: 'is unknown',
          accepted: 'is optional',
        }),
      ),
    ...Object.entries(given).flatMap(([name, schema]) => {
      const other = accepted[name];
      if (other !== undefined) {
        return compare({ ...from, schema }, { ...to, schema: other }, [...path, name], comparison);
      }
      if (to.schema['additionalProperties'] !== false) return [];
      return [{ path: [...path, name], kind: 'closed' as const, given: 'is known', accepted: 'is refused' }];
    }),
  ];
}

function itemProblems(from: Merged, to: Merged, path: readonly string[], comparison: Comparison): Misfit[] {
  const [given, accepted] = [from.schema['items'], to.schema['items']];
  if (accepted === undefined || accepted === true) return [];
  const [one, other] = [[given].flat(), [accepted].flat()];
  return other.flatMap((schema, at) =>
    compare({ ...from, schema: one[at] ?? {} }, { ...to, schema }, [...path, '[]'], comparison),
  );
}
