import type { Command } from 'commander';
import { printManifest } from '../manifest.ts';

export function register(program: Command): void {
  program
    .command('manifest')
    .description('print the parts of serverless.yml that `warren worker` needs, with resolved variables')
    .option('--stage <stage>', 'resolve variables for this stage; default that of serverless.yml')
    .addHelpText(
      'after',
      '\nExample:\n  warren manifest > warren.json\n  warren manifest --stage prod > warren.json',
    )
    .action(async ({ stage }: { stage?: string }) => {
      console.log(await printManifest(stage));
    });
}
