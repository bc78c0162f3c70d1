import type { Command } from 'commander';
import { initProject } from '../../local/init.ts';

export function register(program: Command): void {
  program
    .command('init')
    .description('write a new service with one function, its test and its topology')
    .argument('<folder>', 'folder to create; its last part is the name of the service')
    .option('--javascript', 'write JavaScript; default TypeScript', false)
    .option(
      '--package <tarball>',
      "this package as a tarball; default it is packed from the running program's folder",
    )
    .option('-y, --yes', 'ask nothing, which is the default')
    .addHelpText(
      'after',
      '\nExample:\n  warren init my-service\n  cd my-service && npm install && npm run start',
    )
    .action(async (folder: string, options: { javascript: boolean; package?: string }) => {
      const { javascript, package: tarball } = options;
      const files = await initProject({
        folder,
        tarball,
        language: javascript ? 'javascript' : 'typescript',
      });
      console.log(files.map((file) => `${folder}/${file}`).join('\n'));
      console.log(`\nNext: cd ${shellWord(folder)} && npm install && npm run start`);
    });
}

/** A path as a shell reads it: quoted if it has a space or another character with a meaning. */
function shellWord(path: string): string {
  return /^[\w./~+-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
