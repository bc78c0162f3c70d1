import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { projectFile } from '../../dev/stack/project.ts';
import type { HttpReply } from '../../runtime/http/function.ts';

interface Section {
  handler: string;
  events: { httpApi?: string }[];
}
export type RouteHandler = (event: unknown, context: unknown) => Promise<HttpReply>;
export interface ImportedRoute {
  method: string;
  path: string;
  handler: RouteHandler;
}

const yml = parse(readFileSync(projectFile('serverless.yml'), 'utf8'), { merge: true }) as {
  functions: Record<string, Section>;
};

/** The functions of serverless.yml that answer over HTTP. */
export const httpFunctions = Object.fromEntries(
  Object.entries(yml.functions).filter(([, { events }]) => events.some(({ httpApi }) => httpApi)),
);

/** Their routes, such as `GET /pictures/{id}`. */
export const routeNames = Object.values(httpFunctions).flatMap(({ events }) =>
  events.flatMap(({ httpApi }) => httpApi ?? []),
);

/** The routes with the handlers that production calls: those read their settings at their first call. */
export async function importRoutes(): Promise<Map<string, ImportedRoute>> {
  const routes = new Map<string, ImportedRoute>();
  for (const { handler: file, events } of Object.values(httpFunctions)) {
    for (const { httpApi } of events) {
      if (httpApi === undefined) continue;
      const { handler } = (await import(projectFile(file.replace(/\.handler$/, '.ts')))) as {
        handler: RouteHandler;
      };
      const [method = '', path = ''] = httpApi.split(' ');
      routes.set(httpApi, { method, path, handler });
    }
  }
  return routes;
}
