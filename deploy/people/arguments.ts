import { InvalidArgumentError } from 'commander';
import * as z from 'zod';
import { id } from '../../shared/database/id.ts';

/** Makes a parser for commander out of a schema. */
const parser =
  <Value>(schema: z.ZodType<Value>) =>
  (text: string): Value => {
    const result = schema.safeParse(text);
    if (result.success) return result.data;
    throw new InvalidArgumentError(result.error.issues[0]?.message ?? '');
  };

export const parseId = parser(id);
export const parseName = parser(
  z.string().trim().min(1, 'expected a name').max(100, 'expected at most 100 characters'),
);
export const parseEmail = parser(
  z.email('expected a mail address').max(254, 'expected at most 254 characters'),
);
/** E.164: a plus sign and at most 15 digits. */
export const parsePhone = parser(
  z.string().regex(/^\+[1-9]\d{6,14}$/, 'expected a number such as +15550101'),
);
export const parseSubject = parser(
  z.string().regex(/^[\x20-\x7e]{1,255}$/, 'expected 1 to 255 characters of ASCII'),
);
