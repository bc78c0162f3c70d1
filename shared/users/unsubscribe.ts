import { errors, jwtVerify, SignJWT } from 'jose';

/** The purpose of a token: a token for anything else does nothing here, and this one opens nothing else. */
const audience = 'warren:picture-mails';

/** Makes and reads the tokens in the links with which a user unsubscribes from picture mails. */
export interface UnsubscribeTokens {
  /** The same for a user each time, and good for ever: mails are read late, and a link that fails makes it spam. */
  sign(userId: number): Promise<string>;
  /** The user of a token; undefined if it is not one of ours. */
  read(token: string | undefined): Promise<number | undefined>;
}

/** @param secret at least 32 characters, used for nothing else. */
export function createUnsubscribeTokens(secret: string): UnsubscribeTokens {
  const key = new TextEncoder().encode(secret);
  return {
    async sign(userId) {
      return new SignJWT({})
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setSubject(String(userId))
        .setAudience(audience)
        .sign(key);
    },

    async read(token = '') {
      try {
        const { payload } = await jwtVerify(token, key, { audience, algorithms: ['HS256'] });
        const id = Number(payload.sub);
        return Number.isSafeInteger(id) && id > 0 ? id : undefined;
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}

/** The path of such a link, below the public address of the HTTP functions. */
export function unsubscribeUrl(publicUrl: string, token: string): string {
  return `${publicUrl.replace(/\/$/, '')}/unsubscribe?token=${token}`;
}
