import { splitUri } from './uri.ts';

/** Splits a text with the URLs of a cluster's nodes. A comma in a password has to be written %2C. */
export function brokerUrls(text: string): string[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

/** The same URL with another vhost. An invalid URL is returned unchanged: the connection reports it without its password. */
export function urlInVhost(url: string, vhost: string): string {
  const parts = splitUri(url);
  if (!parts) return url;
  return `${parts.start}/${encodeURIComponent(vhost)}${parts.query === undefined ? '' : `?${parts.query}`}`;
}
