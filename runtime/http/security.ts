/** The headers that OWASP recommends for API responses, for functions and for their hosts. */
import securityHeaders from '@middy/http-security-headers';

type Options = NonNullable<Parameters<typeof securityHeaders>[0]>;
type Policy = Record<string, string | undefined>;

/** The options for a page that differ from those for an API response. */
export type PageSecurity = Pick<
  Options,
  'contentSecurityPolicy' | 'crossOriginEmbedderPolicy' | 'permissionsPolicy' | 'xssProtection'
>;

/**
 * Creates a middleware that adds the headers.
 *
 * @param contentSecurityPolicy directives for HTML pages, instead of the strictest.
 * @param security further options for pages.
 */
export function secured(contentSecurityPolicy: Policy = {}, security?: PageSecurity) {
  const policy: Policy = { 'report-to': undefined, ...contentSecurityPolicy };
  return securityHeaders({
    // We collect no reports from browsers. The package's types lack the second option.
    ...({ reportTo: false, reportingEndpoints: false } as const),
    // An undefined directive is omitted; the package's types do not allow it.
    contentSecurityPolicy: policy as Record<string, string>,
    ...security,
  });
}

/** Returns the headers for responses that no function creates. A browser loads nothing from such a response. */
export async function problemSecurity(): Promise<Record<string, string>> {
  const response: { headers: Record<string, string | undefined> } = { headers: {} };
  await secured().after?.({ response } as never);
  const set = Object.entries(response.headers).filter(([, value]) => value !== undefined);
  const policy = "default-src 'none'; frame-ancestors 'none'";
  return { ...(Object.fromEntries(set) as Record<string, string>), 'Content-Security-Policy': policy };
}
