// The signed-in user. The session ends with the tab, and other tabs may have other users.
const place = 'warren-token';

/** The token of the signed-in user, undefined without one. */
export const token = () => sessionStorage.getItem(place);

export const keep = (value) => sessionStorage.setItem(place, value);

export const forget = () => sessionStorage.removeItem(place);

/**
 * Returns the user that a token names; only the server can verify it.
 *
 * @returns undefined if the text is not a token.
 */
export function userOf(value) {
  try {
    const [, payload] = value.split('.');
    return JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))).sub;
  } catch {
    return undefined;
  }
}
