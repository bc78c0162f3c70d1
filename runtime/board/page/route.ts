import { useLayoutEffect, useState } from 'preact/hooks';

/** A view in the address: `#/letters/12?queue=a`. */
export interface Route {
  view: string;
  /** The part behind the view, such as the position of a dead letter. */
  item: string | undefined;
  query: URLSearchParams;
}

/** Reads the address. */
export function readRoute(hash = location.hash): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const [view = '', item] = path.split('/');
  return { view: view || 'letters', item, query: new URLSearchParams(query) };
}

/** Returns the address of a view. Parameters that are undefined are left out. */
export function linkTo(view: string, parameters: Record<string, string | undefined> = {}): string {
  const given = Object.entries(parameters).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const query = new URLSearchParams(given).toString();
  return `#/${view}${query && `?${query}`}`;
}

/** Shows a view, as a link does. */
export function go(href: string): void {
  location.hash = href;
}

/** The route, which changes with the address. */
export function useRoute(): Route {
  const [route, setRoute] = useState(readRoute);
  // An effect would begin a frame later, and miss an address that changes meanwhile.
  useLayoutEffect(() => {
    const changed = () => setRoute(readRoute());
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return route;
}
