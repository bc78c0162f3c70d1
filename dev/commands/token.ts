import type { Command } from 'commander';
import { print, required } from '../../runtime/cli/context.ts';
import { mintToken, scopes } from '../../shared/auth/tokens.ts';

export function register(program: Command): void {
  program
    .command('token')
    .description('make a token for development, signed with AUTH_JWT_SECRET')
    .option('-u, --user <id>', 'whose token: the `sub` claim', '1')
    .option('-s, --scope <scopes...>', 'what it allows', [...scopes])
    .option('-e, --expires <seconds>', 'how long it is good for', '3600')
    .addHelpText('after', '\nExample:\n  warren token --user 2 --scope pictures:write rpc:call')
    .action(async (options: { user: string; scope: string[]; expires: string }, command: Command) => {
      const token = await mintToken({
        secret: required('AUTH_JWT_SECRET'),
        sub: options.user,
        scopes: options.scope,
        expiresInSeconds: Number(options.expires),
      });
      print(command, { token }, () => token);
    });
}
