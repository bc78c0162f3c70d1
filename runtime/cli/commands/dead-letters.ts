import type { Command } from 'commander';
import { registerActing } from '../dead-letters/acting.ts';
import { registerReading } from '../dead-letters/reading.ts';
import { vhostsOptions } from '../vhosts.ts';

export function register(program: Command): void {
  const letters = program
    .command('dead-letters')
    .description('list, show, replay or drop dead-lettered messages')
    .addHelpText(
      'after',
      `
Examples:
  warren dead-letters list --queue ship-parcel
  warren dead-letters list --vhost orders
  warren dead-letters summary
  warren dead-letters show 0f8fad5b-d9cb-469f-a165-70867728950e
  warren dead-letters replay --queue ship-parcel --reason too-old
  warren dead-letters replay --queue ship-parcel --to ship-parcel-v2 --limit 100
  warren dead-letters drop 0f8fad5b-d9cb-469f-a165-70867728950e --yes`,
    );
  registerReading(letters);
  registerActing(letters);
  for (const command of letters.commands) for (const option of vhostsOptions()) command.addOption(option);
}
