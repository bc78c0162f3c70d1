import type { Environment } from './service.ts';

/** Variables with addresses that browsers and functions use, and the parameters that set them. */
const addresses = {
  PUBLIC_URL: 'publicUrl',
  S3_PUBLIC_URL: 's3PublicUrl',
  AUTH_JWKS_URL: 'jwksUrl',
} as const;

/**
 * Checks the addresses of a deployment when it is packaged: on AWS, a wrong one would be noticed by a user.
 *
 * @throws Error that names the parameter, what was expected and what came, without credentials that it contains.
 */
export function checkAddresses(environment: Environment): void {
  for (const [variable, parameter] of Object.entries(addresses)) {
    const text = environment[variable];
    if (typeof text === 'string' && text !== '') checkAddress(parameter, text);
  }
}

function checkAddress(parameter: string, text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const wanted = `${parameter}: expected an address such as https://warren.example.com`;
  if (!url) throw new Error(`${wanted}, got "${text}"`);
  if (url.username !== '' || url.password !== '')
    throw new Error(`${wanted}, without a user and a password, got one with them`);
  if (url.protocol !== 'https:') throw new Error(`${wanted}, got "${text}", which is not encrypted`);
  if (url.hash !== '' || (url.search !== '' && parameter !== 'jwksUrl'))
    throw new Error(`${wanted}, without ? and #, got "${text}"`);
}

/**
 * The origins that may use the HTTP API and upload to the bucket: browsers send no path and no slash at the end.
 *
 * @param text addresses, separated by commas.
 * @throws Error as `checkAddresses`.
 */
export function originsOf(parameter: string, text: string): string[] {
  const each = text.split(',').flatMap((part) => part.trim() || []);
  for (const address of each) checkAddress(parameter, address);
  return each.map((address) => new URL(address).origin);
}
