import { resource, urlField } from 'warren/functions';
import * as z from 'zod';
import { createUnsubscribeTokens, unsubscribeUrl } from './unsubscribe.ts';

/** The key that signs the links in mails. */
export const unsubscribeSettings = () =>
  z.object({
    // Not the key of tokens, because a key for links in mails must not be able to sign tokens.
    UNSUBSCRIBE_SECRET: z
      .string({ error: 'expected at least 32 characters' })
      .min(32, 'expected at least 32 characters')
      .describe('key of the links in picture mails, at least 32 characters'),
  });

/** Address of the HTTP functions, for the links in mails. */
export const linkSettings = () =>
  z.object({
    PUBLIC_URL: urlField(['http:', 'https:'], 'https://warren.example.com').describe(
      'address at which people reach the HTTP functions; links in mails begin with it',
    ),
  });

/** Signs and checks the tokens of links that unsubscribe. */
export const unsubscribeTokens = resource(unsubscribeSettings, ({ UNSUBSCRIBE_SECRET }) =>
  createUnsubscribeTokens(UNSUBSCRIBE_SECRET),
);

const publicUrl = resource(linkSettings, ({ PUBLIC_URL }) => PUBLIC_URL);

/** Makes the link that unsubscribes a user. */
export const unsubscribeLink = resource(
  undefined,
  (_, { use }) => {
    const tokens = use(unsubscribeTokens);
    return async (userId: number) => unsubscribeUrl(use(publicUrl), await tokens.sign(userId));
  },
  [unsubscribeTokens, publicUrl],
);
