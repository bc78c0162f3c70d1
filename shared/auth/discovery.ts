import { UnavailableError } from 'warren/functions';
import { z } from 'zod';

const timeoutMs = 3000;

/** An address of the issuer. */
const endpoint = z.url({ protocol: /^https?$/ });

/** The fields of a discovery document (OpenID Connect Discovery 1.0, 3) that Warren uses. */
const discovered = z.object({
  issuer: z.string(),
  jwks_uri: endpoint,
  authorization_endpoint: endpoint.optional(),
  token_endpoint: endpoint.optional(),
});
export type Discovered = z.output<typeof discovered>;

/**
 * Reads an issuer's discovery document at the first call and keeps it. After a failure, the next call tries again.
 *
 * @returns throws UnavailableError if the document cannot be fetched, or is not what it should be.
 */
export function createDiscovery(issuer: string): () => Promise<Discovered> {
  let found: Promise<Discovered> | undefined;
  return () => {
    found ??= discover(issuer);
    const finding = found;
    return finding.catch((error: unknown) => {
      // Another call may try again already.
      if (found === finding) found = undefined;
      throw error;
    });
  };
}

async function discover(issuer: string): Promise<Discovered> {
  try {
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const response = await fetch(url, {
      headers: { accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (!response.ok) throw new Error(`expected status 200, got ${response.status}`);
    const { issuer: named, ...endpoints } = discovered.parse(await response.json());
    // Discovery 1.0, 4.3: otherwise one issuer could name the keys of another.
    if (named !== issuer) throw new Error(`expected a document of ${issuer}, got one of ${named}`);
    if (issuer.startsWith('https:') && Object.values(endpoints).some((each) => each?.startsWith('http:'))) {
      throw new Error('expected addresses with https:, because the issuer has it');
    }
    return { issuer, ...endpoints };
  } catch (cause) {
    throw new UnavailableError('auth', 'the discovery document of AUTH_ISSUER can not be fetched', { cause });
  }
}
