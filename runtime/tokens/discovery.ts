import * as z from 'zod';
import { UnavailableError } from '../base/errors.ts';

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

/** Milliseconds for which a document is kept, and until the next try after a failure while one is known. */
const [keepMs, againMs] = [3_600_000, 60_000];

/**
 * Reads an issuer's discovery document at the first call, and again after an hour, because an issuer may move its keys. While it is
 * unavailable, the document that is known counts. After a failure without one, the next call tries again.
 *
 * @param now a clock in milliseconds that never goes back.
 * @returns throws UnavailableError if the document cannot be fetched, or is not what it should be.
 */
export function createDiscovery(issuer: string, now = () => performance.now()): () => Promise<Discovered> {
  let known: Discovered | undefined;
  let until = Number.NEGATIVE_INFINITY;
  const find = async (): Promise<Discovered> => {
    if (known && now() < until) return known;
    try {
      known = await discover(issuer);
      until = now() + keepMs;
    } catch (error) {
      if (!known) throw error;
      until = now() + againMs;
    }
    return known;
  };
  let finding: Promise<Discovered> | undefined;
  return () => {
    finding ??= find().finally(() => {
      finding = undefined;
    });
    return finding;
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
    throw new UnavailableError('auth', 'the discovery document of the token issuer can not be fetched', {
      cause,
    });
  }
}
