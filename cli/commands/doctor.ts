import { pathsOf } from '../../daemon/home/paths.ts';
import type { Define } from '../commands.ts';
import { findingStates, worstOf, type Finding } from '../doctor/finding.ts';
import { lookAtHost } from '../doctor/host.ts';
import { lookAtService } from '../doctor/service.ts';
import { columns } from '../format.ts';

export const define: Define = (command, { output, finish }) => {
  command
    .addHelpText('after', '\nExit code: 0 all is fine, 1 there are warnings, 2 there are problems.')
    .action(async () => {
      const paths = pathsOf(process.env);
      const findings = [...(await lookAtHost(paths)), ...(await lookAtService(paths))];
      const worst = worstOf(findings);
      await output.facts({ worst, findings }, linesOf(findings));
      finish(findingStates.indexOf(worst));
    });
};

function linesOf(findings: readonly Finding[]): string[] {
  const rows = findings.map(({ state, check, message, hint }) => [
    state,
    check,
    hint === undefined ? message : `${message}: ${hint}`,
  ]);
  return columns(rows);
}
