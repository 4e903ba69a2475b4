import type { Command } from 'commander';
import type { Session } from '../../commands.ts';
import type { ProfileOption } from '../../target.ts';

/** `hush door aws`: what a `credential_process` of AWS's tools prints. */
export function defineAws(door: Command, { output }: Session): void {
  door
    .command('aws')
    .description('print credentials for AWS tools, as their credential_process asks')
    .argument('<path>', 'SCOPE/NAME, or hush://PROFILE/SCOPE/NAME')
    .addHelpText('after', examples)
    .action(async (path: string, options: ProfileOption) => {
      const { printCredentials } = await import('../../doors/aws/credentials.ts');
      await printCredentials(path, options, output);
    });
}

const examples = `
The secret holds JSON with AccessKeyId and SecretAccessKey, and SessionToken, Expiration and AccountId where there
are any.

Examples:
  hush door aws global/aws-deploy
  aws configure set credential_process 'hush door aws global/aws-deploy' --profile deploy`;
