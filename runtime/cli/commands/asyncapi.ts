import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { WarrenError } from '../../base/errors.ts';
import { type Breaking, breakingChanges } from '../../contracts/diff.ts';
import { asyncapiDocument } from '../../contracts/document.ts';
import type { Json } from '../../contracts/document-types.ts';
import { loadContracts } from '../../contracts/load.ts';
import { contractsPage } from '../../contracts/page.ts';
import { routesOf } from '../../contracts/routes.ts';
import { print } from '../context.ts';
import { addServiceOptions, type ServiceOptions, selectedService } from '../service.ts';

interface Options extends ServiceOptions {
  diff?: string;
  html?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('asyncapi')
    .description('print the contracts of messages and methods as an AsyncAPI 3.1 document')
    .option('--diff <file>', 'compare with an older document, and exit with 1 if a change breaks its clients')
    .option('--html', 'print a page for people, which needs no other file');
  addServiceOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  warren asyncapi > asyncapi.json\n  warren asyncapi --diff asyncapi.json\n  warren asyncapi --html > contracts.html',
    )
    .action(async (options: Options) => {
      const document = await describeService(options);
      if (options.diff !== undefined) {
        const changes = breakingChanges(await readDocument(options.diff), document);
        print(command, changes, () => diffText(changes));
        if (changes.length > 0) process.exitCode = 1;
      } else if (options.html) {
        console.log(contractsPage(document));
      } else {
        console.log(JSON.stringify(document, null, 2));
      }
    });
}

/** The document of the service that the options name. Its version is that of the package beside serverless.yml. */
async function describeService(options: ServiceOptions): Promise<Json> {
  const folder = dirname(resolve(options.config ?? options.manifest ?? 'serverless.yml'));
  const service = await selectedService(options);
  const contracts = await loadContracts(folder, service.section.contracts);
  const { version = '0.0.0' } = await readPackage(folder);
  return asyncapiDocument({ title: service.name ?? 'warren', version }, routesOf(contracts, service));
}

async function readPackage(folder: string): Promise<{ version?: string }> {
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => '{}');
  return JSON.parse(text) as { version?: string };
}

async function readDocument(path: string): Promise<Json> {
  try {
    const document: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof document === 'object' && document !== null && 'asyncapi' in document) return document as Json;
  } catch (cause) {
    throw new WarrenError('ERR_CONFIG', `--diff: ${path} cannot be read as JSON`, { cause });
  }
  throw new WarrenError('ERR_CONFIG', `--diff: ${path}: expected an AsyncAPI document, got other JSON`);
}

function diffText(changes: readonly Breaking[]): string {
  if (changes.length === 0) return 'no breaking change';
  const lines = changes.map(({ message, breaks, change }) => `${message}: ${change} (breaks ${breaks})`);
  return [...lines, `${changes.length} breaking`].join('\n');
}
