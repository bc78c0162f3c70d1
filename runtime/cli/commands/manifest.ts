import type { Command } from 'commander';
import { printManifest } from '../manifest.ts';

export function register(program: Command): void {
  program
    .command('manifest')
    .description('print what `warren worker` needs of serverless.yml, its variables resolved')
    .addHelpText('after', '\nExample:\n  warren manifest > warren.json')
    .action(async () => {
      console.log(await printManifest());
    });
}
