import { Comparison } from './comparison.ts';
import type { Json } from './document-types.ts';
import type { Misfit } from './misfit.ts';
import { boundProblems } from './schema-bounds.ts';
import { elementAt, elementsOf } from './schema-join.ts';
import {
  accepts,
  alternativesOf,
  described,
  isAny,
  type Merged,
  type Placed,
  propertiesOf,
  propertyOf,
  requiredOf,
  typesOf,
  valuesOf,
} from './schema-parts.ts';

/**
 * Lists why values that fit one schema may not fit another: by types, properties, values, limits and alternatives. Patterns, conditions
 * and a few rarer keywords are compared as they are written.
 *
 * @param from schema of the values.
 * @param to schema that should accept them.
 * @param removals whether `to` belongs to a reader, who misses also an optional property that `from` does not know.
 */
export function misfits(from: Placed, to: Placed, { removals }: { removals: boolean }): Misfit[] {
  const comparison = new Comparison();
  return comparison.run(() => compare(from, to, [], { removals, comparison }));
}

interface Context {
  removals: boolean;
  comparison: Comparison;
}

type Path = readonly string[];

function compare(from: Placed, to: Placed, path: Path, context: Context): Misfit[] {
  if (isAny(to.schema)) return [];
  // By their text: a schema that contains itself does so by a reference, through any number of unions.
  const pair = JSON.stringify([from.schema, to.schema]);
  const found = context.comparison.once(pair, () => comparePair(from, to, context));
  return found.map((misfit) => ({ ...misfit, path: [...path, ...misfit.path] }));
}

function comparePair(from: Placed, to: Placed, context: Context): Misfit[] {
  const accepted = alternativesOf(to);
  return alternativesOf(from).flatMap((given) => {
    const results = accepted.map((other) => compareOne(given, other, [], context));
    if (results.some((problems) => problems.length === 0)) return [];
    // The alternative that fits best names the field. One with another value, such as that of a discriminator, fits less.
    const [best] = results
      .filter(([first]) => first?.kind !== 'type' || first.path.length > 0)
      .sort((one, other) => valuesIn(one) - valuesIn(other) || one.length - other.length);
    if (best) return best;
    return [{ path: [], kind: 'type' as const, given: described([given]), accepted: described(accepted) }];
  });
}

const valuesIn = (problems: readonly Misfit[]) => problems.filter(({ kind }) => kind === 'value').length;

function compareOne(from: Merged, to: Merged, path: Path, context: Context): Misfit[] {
  const types = typesOf(from.schema);
  if (types.some((type) => !accepts(typesOf(to.schema), type))) {
    return [{ path, kind: 'type', given: described([from]), accepted: described([to]) }];
  }
  const inner = [
    ['object', [requiredProblems, propertyProblems, furtherProblems]],
    ['array', [itemProblems]],
  ] as const;
  return [
    ...valueProblems(from.schema, to.schema, path),
    ...boundProblems(from.schema, to.schema, path),
    ...inner
      .filter(([type]) => types.includes(type))
      .flatMap(([, each]) => each.flatMap((problems) => problems(from, to, path, context))),
  ];
}

function valueProblems(from: Json, to: Json, path: Path): Misfit[] {
  const [given, accepted] = [valuesOf(from), valuesOf(to)];
  if (!accepted) return [];
  const texts = accepted.map((value) => JSON.stringify(value));
  if (!given) return [{ path, kind: 'value', given: 'any', accepted: texts.join(', ') }];
  const further = given.map((value) => JSON.stringify(value)).filter((value) => !texts.includes(value));
  return further.length === 0
    ? []
    : [{ path, kind: 'value', given: further.join(', '), accepted: texts.join(', ') }];
}

function requiredProblems(from: Merged, to: Merged, path: Path, { removals }: Context): Misfit[] {
  const [always, required] = [requiredOf(from.schema), requiredOf(to.schema)];
  const isKnown = (name: string) => Object.hasOwn(propertiesOf(from.schema), name);
  const missing = required.filter((name) => !always.includes(name));
  const removed = Object.keys(propertiesOf(to.schema)).filter(
    (name) => removals && !isKnown(name) && !required.includes(name),
  );
  return [
    ...missing.map((name): Misfit => {
      const kind = isKnown(name) ? 'missing' : 'unknown';
      return { path: [...path, name], kind, given: 'may be missing', accepted: 'is required' };
    }),
    ...removed.map((name): Misfit => {
      return { path: [...path, name], kind: 'removed', given: 'is unknown', accepted: 'is optional' };
    }),
  ];
}

/** The properties that one of the schemas names. */
function propertyProblems(from: Merged, to: Merged, path: Path, context: Context): Misfit[] {
  const [others, accepted] = [from.schema['additionalProperties'], furtherOf(to.schema)];
  const given = Object.entries(propertiesOf(from.schema)).flatMap(([name, schema]) => {
    const placed = { ...from, schema };
    const other = propertyOf(to.schema, name);
    if (other === undefined && accepted === false) {
      if (alternativesOf(placed).length === 0) return [];
      return [{ path: [...path, name], kind: 'closed' as const, given: 'is known', accepted: 'is refused' }];
    }
    return compare(placed, { ...to, schema: other ?? accepted }, [...path, name], context);
  });
  // A map may have every property. An object without a schema for its further properties is compared by those that it names.
  if (others === undefined || isAny(others)) return given;
  const unnamed = Object.entries(propertiesOf(to.schema)).filter(
    ([name]) => propertyOf(from.schema, name) === undefined,
  );
  return [
    ...given,
    ...unnamed.flatMap(([name, schema]) =>
      compare({ ...from, schema: others }, { ...to, schema }, [...path, name], context),
    ),
  ];
}

/** The properties that neither schema names, and their names. */
function furtherProblems(from: Merged, to: Merged, path: Path, context: Context): Misfit[] {
  const [given, accepted] = [furtherOf(from.schema), furtherOf(to.schema)];
  const further = [...path, '*'];
  const names = compare(
    { ...from, schema: from.schema['propertyNames'] ?? { type: 'string' } },
    { ...to, schema: to.schema['propertyNames'] ?? true },
    further,
    context,
  );
  if (accepted !== false)
    return [...names, ...compare({ ...from, schema: given }, { ...to, schema: accepted }, further, context)];
  const isNamed = Object.keys(propertiesOf(from.schema)).some(
    (name) => propertyOf(to.schema, name) === undefined,
  );
  if (isNamed || alternativesOf({ ...from, schema: given }).length === 0) return names;
  return [...names, { path: further, kind: 'closed', given: 'is known', accepted: 'is refused' }];
}

const furtherOf = ({ additionalProperties = true }: Json): unknown => additionalProperties;

function itemProblems(from: Merged, to: Merged, path: Path, context: Context): Misfit[] {
  const [given, accepted] = [elementsOf(from.schema), elementsOf(to.schema)];
  const count = Math.max(given.first.length, accepted.first.length);
  const at = (place: number) =>
    compare(
      { ...from, schema: elementAt(given, place) },
      { ...to, schema: elementAt(accepted, place) },
      [...path, place < count ? `[${place}]` : '[]'],
      context,
    );
  const { maxItems } = from.schema;
  const isLonger = typeof maxItems !== 'number' || maxItems > count;
  return [...Array.from({ length: count }, (_, place) => at(place)).flat(), ...(isLonger ? at(count) : [])];
}
