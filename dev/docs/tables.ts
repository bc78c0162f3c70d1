import { existsSync, readFileSync } from 'node:fs';
import { lambdaSettings, logSettings, managementSettings } from 'warren/functions';
import { parse } from 'yaml';
import { boardSettings } from '../../runtime/board/access-settings.ts';
import { asyncapiDocument } from '../../runtime/contracts/document.ts';
import type { Json } from '../../runtime/contracts/document-types.ts';
import { loadContracts } from '../../runtime/contracts/load.ts';
import { routesOf } from '../../runtime/contracts/routes.ts';
import { editorSchema } from '../../runtime/topology/editor-schema.ts';
import { readService as readTopologyService } from '../../runtime/topology/service-file.ts';
import { storageSettings } from '../../shared/storage/settings.ts';
import { projectFile } from '../stack/project.ts';
import { alarmsTable } from './alarms.ts';
import { chartFiles } from './chart/files.ts';
import { clientSections } from './clients.ts';
import { type ErrorCodes, errorsTable } from './errors.ts';
import { fileOf, functionsTable, groupsOf, readService, type Service } from './functions.ts';
import { replaceBetween } from './markdown.ts';
import { phpModule } from './php-types.ts';
import { pythonModule } from './python-types.ts';
import { type Declared, settingsTable } from './settings.ts';
import { storageRightsFile } from './storage-rights.ts';

const read = (path: string) => readFileSync(projectFile(path), 'utf8');

/** The generated files and pages with generated tables, by path: each with the text that it should have. */
export async function generatedPages(): Promise<Map<string, string>> {
  const yml = parse(read('serverless.yml'), { merge: true });
  const service = readService(yml);
  const handlers = await loadHandlers(service);
  const tables: [name: string, content: string][] = [
    ['functions', functionsTable(service, read)],
    [
      'settings',
      settingsTable({
        handlers,
        common: [logSettings],
        commands: [managementSettings, lambdaSettings],
        groups: groupsOf(service),
      }),
    ],
  ];
  const errors = await loadErrorCodes();
  if (errors) tables.push(['errors', errorsTable(errors)]);
  const { sections, document, schemas } = await loadContractPages();
  const rules = read('deploy/monitoring/warren.rules.yml');
  const pages = tables.map(([name, content]): [string, string] => {
    const path = `docs/${name}.md`;
    return [path, replaceBetween(read(path), name, content)];
  });
  return new Map([
    ...pages,
    ['docs/clients.md', replaceBetween(read('docs/clients.md'), 'messages', sections)],
    ['asyncapi.json', `${JSON.stringify(document, null, 2)}\n`],
    ['test/support/clients/messages.py', pythonModule(schemas)],
    ['test/support/clients/messages.php', phpModule(schemas)],
    ['docs/runbook.md', replaceBetween(read('docs/runbook.md'), 'alarms', alarmsTable(rules))],
    ...chartFiles({
      yml,
      handlers,
      rules,
      common: [logSettings],
      storage: storageSettings,
      board: boardSettings,
    }),
    ['deploy/storage-rights.json', storageRightsFile(yml)],
    ['runtime/serverless.schema.json', `${JSON.stringify(editorSchema(), null, 2)}\n`],
  ]);
}

/** The contracts of the sample: their document, and their sections for clients. */
async function loadContractPages(): Promise<{
  sections: string;
  document: Json;
  /** The JSON Schemas of the bodies, by the names of the messages. */
  schemas: Record<string, Json>;
}> {
  const service = await readTopologyService(projectFile('serverless.yml'));
  const routes = routesOf(await loadContracts(projectFile('.'), service.section.contracts), service);
  const { version } = JSON.parse(read('package.json')) as { version: string };
  const document = asyncapiDocument({ title: service.name ?? '', version }, routes);
  const { schemas } = document['components'] as { schemas: Record<string, Json> };
  return { sections: clientSections(routes, schemas), document, schemas };
}

async function loadHandlers({ functions }: Service): Promise<Record<string, Declared>> {
  const loaded = Object.entries(functions).map(async ([name, { handler }]) => {
    const module = (await import(projectFile(fileOf(handler)))) as { handler: Declared };
    return [name, module.handler] as const;
  });
  return Object.fromEntries(await Promise.all(loaded));
}

/** The table of codes that the runtime has, once it has one. */
async function loadErrorCodes(): Promise<ErrorCodes | undefined> {
  const path = projectFile('runtime/base/error-codes.ts');
  if (!existsSync(path)) return undefined;
  const module = (await import(path)) as Record<string, ErrorCodes>;
  return Object.values(module).find((each) => typeof each === 'object');
}
