import { pathsOf } from '../../daemon/home/paths.ts';
import type { Define } from '../commands.ts';
import { findingStates, worstOf, type Finding } from '../doctor/finding.ts';
import { lookAtHost } from '../doctor/host.ts';
import { lookAtService } from '../doctor/service.ts';
import { columns } from '../format.ts';
import type { Tint } from '../output.ts';

export const define: Define = (command, { output, finish }) => {
  command.addHelpText('after', help).action(async () => {
    const paths = pathsOf(process.env);
    const findings = [...(await lookAtHost(paths)), ...(await lookAtService(paths))];
    const worst = worstOf(findings);
    await output.facts({ worst, findings }, linesOf(findings), tint);
    finish(findingStates.indexOf(worst));
  });
};

const help = `
It looks at versions, the home (paths, modes, owners), the config, the profiles, wrong passphrases, enrolled clients,
the newest files of each audit, disk, socket, daemon, keys, expired values, the clock and the hardening.

Exit code: 0 all is fine, 1 there are warnings, 2 there are problems.

Examples:
  hush doctor
  hush doctor --json`;

const colours = [
  ['ok', 'green'],
  ['warning', 'yellow'],
  ['problem', 'red'],
] as const;

const tint: Tint = (line, paint) => {
  const found = colours.find(([state]) => line.startsWith(state));
  if (found === undefined) return line;
  const [state, colour] = found;
  return `${paint(colour, state)}${line.slice(state.length)}`;
};

function linesOf(findings: readonly Finding[]): string[] {
  const rows = findings.map(({ state, check, message, hint }) => [
    state,
    check,
    hint === undefined ? message : `${message}: ${hint}`,
  ]);
  return columns(rows);
}
