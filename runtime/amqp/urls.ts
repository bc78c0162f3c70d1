/** Splits a text with the URLs of a cluster's nodes. A comma in a password has to be written %2C. */
export function brokerUrls(text: string): string[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}
