// The signed-in user. The session ends with the tab, and other tabs may have other users.
const place = 'warren-token';

/** A token of an issuer is only here, because it is good at other places than this page too. */
let own;

/** The token of the signed-in user, undefined without one. */
export const token = () => own?.token ?? sessionStorage.getItem(place);

/** Keeps a token of an issuer until the page is left, with the user's name for the page. */
export function keepOwn(session) {
  own = session;
}

/** The signed-in user in paths, and the name to show. An issuer's token does not have our id of the user. */
export function signedIn() {
  if (own) return { user: 'me', name: own.name };
  const user = userOf(token());
  return { user, name: user };
}

export const keep = (value) => sessionStorage.setItem(place, value);

export function forget() {
  own = undefined;
  sessionStorage.removeItem(place);
}

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
