/** The Authorization header for the login in a URL, such as `http://user:password@host:15672` (RFC 7617). */
export function basicAuth(url: string | URL): string {
  const { username, password } = new URL(url);
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(login).toString('base64')}`;
}
