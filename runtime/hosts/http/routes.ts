import { WarrenError } from '../../base/errors.ts';

/** One `httpApi` event of a function. */
export interface Route {
  functionName: string;
  /** `*` for any. */
  method: string;
  /** As the yml has it: `/orders/{id}`, `/files/{path+}`; `*` for what no other route takes. */
  path: string;
  /** AWS's name for it, which the event carries. */
  routeKey: string;
}

interface FunctionDefinition {
  events?: readonly unknown[] | undefined;
}

const methods = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', '*']);

/**
 * Reads the routes of an HTTP API from the `httpApi` events of a resolved serverless.yml, in text (`GET /orders/{id}`) or
 * as an object with `method` and `path`.
 *
 * @throws WarrenError ERR_CONFIG that names each event that is wrong, and what about it.
 */
export function readRoutes(functions: Readonly<Record<string, FunctionDefinition>>): Route[] {
  const problems: string[] = [];
  const routes = Object.entries(functions).flatMap(([functionName, { events = [] }]) =>
    events.flatMap((event): Route[] => {
      if (typeof event !== 'object' || event === null || !('httpApi' in event)) return [];
      const found = readRoute(event.httpApi);
      if (found) return [{ functionName, ...found }];
      problems.push(
        `functions.${functionName}: httpApi: expected "<method> <path>", got ${JSON.stringify(event.httpApi)}`,
      );
      return [];
    }),
  );
  const keys = routes.map(({ routeKey }) => routeKey);
  const twice = keys.filter((key, index) => keys.indexOf(key) !== index);
  problems.push(...twice.map((key) => `route "${key}": expected one function for it, got several`));
  if (problems.length > 0) throw new WarrenError('ERR_CONFIG', problems.join('\n'));
  return routes;
}

function readRoute(event: unknown): Omit<Route, 'functionName'> | undefined {
  if (event === '*') return { method: '*', path: '*', routeKey: '$default' };
  const [given, path] =
    typeof event === 'string'
      ? event.trim().split(/\s+/)
      : [(event as { method?: unknown }).method, (event as { path?: unknown }).path];
  if (typeof given !== 'string' || typeof path !== 'string' || !path.startsWith('/')) return undefined;
  const method = given.toUpperCase() === 'ANY' ? '*' : given.toUpperCase();
  if (!methods.has(method)) return undefined;
  return { method, path, routeKey: `${method === '*' ? 'ANY' : method} ${path}` };
}
