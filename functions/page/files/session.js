// Who is signed in. Lasts as long as the tab: other tabs may be other users.
const place = 'warren-token';

/** The token of whoever signed in, if somebody did. */
export const token = () => sessionStorage.getItem(place);

export const keep = (value) => sessionStorage.setItem(place, value);

export const forget = () => sessionStorage.removeItem(place);

/**
 * The user that a token names; only the server can tell whether it is good.
 *
 * @returns undefined where it isn't a token at all.
 */
export function userOf(value) {
  try {
    const [, payload] = value.split('.');
    return JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))).sub;
  } catch {
    return undefined;
  }
}
