import * as z from 'zod';

const parts = ['postgres', 'storage', 'mailbox'] as const;

/** A part that `warren dev` can start beside the broker. */
export type DevPart = (typeof parts)[number];

// A function, because making the schema takes time.
export const devField = () =>
  z.strictObject({
    parts: z
      .array(z.enum(parts))
      .default([])
      .describe(
        'What `warren dev` starts beside the broker, unless the variable for it is set: postgres, storage, mailbox.',
      ),
  });
