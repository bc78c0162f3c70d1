import { runCheck } from './command.ts';

/** Entry of `npm run prose`. */
process.exitCode = await runCheck(process.argv.slice(2), {
  folder: process.cwd(),
  write: (text) => process.stdout.write(text),
});
