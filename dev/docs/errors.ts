import { codes, table } from './markdown.ts';

/** Each error code with the class that has it, the situation in which it is thrown, and what to do. */
export type ErrorCodes = Readonly<Record<string, { class: string; when: string; action: string }>>;

/** The table of error codes. */
export function errorsTable(errors: ErrorCodes): string {
  const rows = Object.entries(errors).map(([code, each]) => [
    codes([code]),
    each.class.includes('`') ? each.class : codes([each.class]),
    each.when,
    each.action,
  ]);
  return table(['code', 'class', 'when', 'what to do'], rows);
}
