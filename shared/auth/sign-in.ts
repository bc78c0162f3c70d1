import { resource, type SettingsValues } from 'warren/functions';
import * as z from 'zod';
import { authSettings } from './settings.ts';

/** Whether `POST /session` gives a token to anyone who asks; only for development. */
export const signInSettings = () =>
  z.object({
    WARREN_DEV_SIGN_IN: z
      .enum(['true', 'false'])
      .default('false')
      .describe('lets any visitor sign in as any user; never set it in a deployment'),
  });

export type SignInSettings = SettingsValues<typeof signInSettings>;

/** The settings of the sign-in for development. */
export const signIn = resource(signInSettings, (settings) => settings);

/** The settings that decide which tokens are valid, and the key that signs new ones. */
export const tokenSettings = resource(authSettings, (settings) => settings);
