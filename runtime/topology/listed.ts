import * as z from 'zod';

/** What the management API lists of queues or exchanges with `columns=name,arguments,policy`. */
export const listed = () =>
  z.array(
    z.object({
      name: z.string(),
      arguments: z.record(z.string(), z.unknown()).default({}),
      policy: z.string().nullish(),
    }),
  );
