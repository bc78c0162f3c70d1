import { type Problem, ProblemsError } from '../../base/problems.ts';
import type { FunctionDefinition } from '../../event-source/mapping.ts';

/** One `httpApi` event of a function. */
export interface Route {
  functionName: string;
  /** `*` for any. */
  method: string;
  /** As in serverless.yml: `/orders/{id}`, `/files/{path+}`; `*` for requests that match no other route. */
  path: string;
  /** AWS's name of the route, which the event contains. */
  routeKey: string;
}

const methods = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', '*']);

/**
 * Reads the routes of an HTTP API from the `httpApi` events of a resolved serverless.yml, as text (`GET /orders/{id}`) or
 * as an object with `method` and `path`.
 *
 * @throws WarrenError ERR_CONFIG that names each wrong event and its problem.
 */
export function readRoutes(functions: Readonly<Record<string, FunctionDefinition>>): Route[] {
  const problems: Problem[] = [];
  const known = new Set<string>();
  const routes = Object.entries(functions).flatMap(([functionName, { events = [] }]) =>
    events.filter(isHttpApi).flatMap(({ httpApi }, nth): Route[] => {
      const path = ['functions', functionName, 'events', { having: 'httpApi', nth }];
      const found = readRoute(httpApi);
      if (!found) {
        const expected = 'expected "<method> <path>" such as GET /orders/{id}';
        const text = `functions.${functionName}: httpApi: ${expected}, got ${JSON.stringify(httpApi)}`;
        problems.push({ path, text });
        return [];
      }
      if (known.has(found.routeKey))
        problems.push({ path, text: `route "${found.routeKey}": expected one function for it, got several` });
      known.add(found.routeKey);
      return [{ functionName, ...found }];
    }),
  );
  if (problems.length > 0) throw new ProblemsError('ERR_CONFIG', problems);
  return routes;
}

function isHttpApi(event: unknown): event is { httpApi: unknown } {
  return typeof event === 'object' && event !== null && 'httpApi' in event;
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
