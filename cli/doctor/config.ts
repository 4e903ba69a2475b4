import { existsSync } from 'node:fs';
import { loadConfig } from '../../daemon/config/load.ts';
import type { HomePaths } from '../../daemon/home/paths.ts';
import { countText } from '../format.ts';
import { checkPolicy } from '../policy/checking.ts';
import { openPolicy } from '../policy/source.ts';
import type { Finding } from './finding.ts';

/** Whether a daemon would take the config, and whether it may mean something else than it reads like. */
export function configFindings({ config }: HomePaths): readonly Finding[] {
  const check = 'config';
  if (!existsSync(config)) {
    return [{ check, state: 'ok', message: `${config} does not exist: the defaults apply` }];
  }
  loadConfig(config);
  const findings = checkPolicy(openPolicy(undefined, process.env), process.env);
  if (findings.length === 0) return [{ check, state: 'ok', message: `${config} is in order` }];
  const [first] = findings;
  const message = `${config}: ${countText(findings.length, 'remark')}, the first: ${first?.key} ${first?.message}`;
  const state = findings.some(({ level }) => level === 'error') ? 'problem' : 'warning';
  return [{ check, state, message, hint: 'hush policy check' }];
}
