import type { Command } from 'commander';
import { printManifest } from '../manifest.ts';

export function register(program: Command): void {
  program
    .command('manifest')
    .description('print the parts of serverless.yml that `warren worker` needs, with resolved variables')
    .addHelpText('after', '\nExample:\n  warren manifest > warren.json')
    .action(async () => {
      console.log(await printManifest());
    });
}
