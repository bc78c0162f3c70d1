import type * as z from 'zod';

/** What is needed of Zod's definitions. */
interface Definition {
  type: string;
  innerType?: z.core.$ZodType;
  in?: z.core.$ZodType;
  element?: z.core.$ZodType;
  valueType?: z.core.$ZodType;
  options?: readonly z.core.$ZodType[];
  shape?: Readonly<Record<string, z.core.$ZodType>>;
}

/**
 * Returns the keys that a schema of Zod knows at a path of its input, for texts about an unknown one; none if it is no object with
 * keys of its own.
 */
export function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const { innerType, in: input, element, valueType, options, shape } = schema._zod.def as Definition;
  const wrapped = innerType ?? input;
  if (wrapped) return keysAt(wrapped, path);
  if (options) return [...new Set(options.flatMap((option) => keysAt(option, path)))];
  const [key, ...rest] = path;
  if (key === undefined) return Object.keys(shape ?? {});
  const next = shape ? shape[String(key)] : (element ?? valueType);
  return next ? keysAt(next, rest) : [];
}
