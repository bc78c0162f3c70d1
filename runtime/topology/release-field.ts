import * as z from 'zod';

/** How calls move to a new version: at once, or in one of the ways that CodeDeploy knows for Lambda. */
export const shifts = [
  'AllAtOnce',
  'Canary10Percent5Minutes',
  'Canary10Percent10Minutes',
  'Canary10Percent15Minutes',
  'Canary10Percent30Minutes',
  'Linear10PercentEvery1Minute',
  'Linear10PercentEvery2Minutes',
  'Linear10PercentEvery3Minutes',
  'Linear10PercentEvery10Minutes',
] as const;
export type Shift = (typeof shifts)[number];

// A function, because making the schema takes time.
export const releaseField = () =>
  z.strictObject({
    alias: z
      .string()
      .regex(/^(?!\d+$)[\w-]{1,128}$/, 'expected letters, digits, - and _, and not digits only')
      .default('live')
      .describe(
        'Name of the alias of each deployed function that routes, schedules, mappings and workers call.',
      ),
    shift: z
      .string()
      .default('AllAtOnce')
      .describe(
        `How calls move to a new version: ${shifts.join(', ')}. All but the first are CodeDeploy's, and end at the first failed call.`,
      ),
  });
