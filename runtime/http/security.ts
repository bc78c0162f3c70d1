/** The headers that OWASP recommends for the answers of an API, in one place: for the functions, and for what hosts them. */
import securityHeaders from '@middy/http-security-headers';

type Options = NonNullable<Parameters<typeof securityHeaders>[0]>;
type Policy = Record<string, string | undefined>;

/** What a browser may do with a page, where that differs from what it may do with an answer of an API. */
export type PageSecurity = Pick<
  Options,
  'contentSecurityPolicy' | 'crossOriginEmbedderPolicy' | 'permissionsPolicy' | 'xssProtection'
>;

/**
 * Makes a middleware that adds them.
 *
 * @param contentSecurityPolicy directives for pages in HTML, in place of the strictest.
 * @param security what else differs for pages.
 */
export function secured(contentSecurityPolicy: Policy = {}, security?: PageSecurity) {
  const policy: Policy = { 'report-to': undefined, ...contentSecurityPolicy };
  return securityHeaders({
    // We collect no reports from browsers. The package's types don't know the second of these.
    ...({ reportTo: false, reportingEndpoints: false } as const),
    // A directive that is undefined is left out; the package's types don't know.
    contentSecurityPolicy: policy as Record<string, string>,
    ...security,
  });
}

/** As a function's answers have them, for answers that no function gives; nothing in such an answer is for a browser to load. */
export async function problemSecurity(): Promise<Record<string, string>> {
  const response: { headers: Record<string, string | undefined> } = { headers: {} };
  await secured().after?.({ response } as never);
  const set = Object.entries(response.headers).filter(([, value]) => value !== undefined);
  const policy = "default-src 'none'; frame-ancestors 'none'";
  return { ...(Object.fromEntries(set) as Record<string, string>), 'Content-Security-Policy': policy };
}
