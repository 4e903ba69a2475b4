import { HushError } from '../protocol/errors.ts';
import { loadConfig, loadConfigFile } from './config/load.ts';
import type { ConfigInForce } from './peer.ts';
import { checkSocketGroup } from './socket.ts';

/** The config that the daemon goes by. */
export interface Configs {
  inForce(): ConfigInForce;
  /**
   * Reads the file again. Throws as `loadConfig` does, and BAD_REQUEST where the file that was read before is gone or
   * the next start would refuse what it says of the socket; the config in force then stays.
   */
  reload(): void;
}

/** The config of the file at `path`. Throws as `loadConfig` does. */
export function createConfigs(path: string): Configs {
  const first = loadConfigFile(path);
  let isFromFile = first !== undefined;
  let inForce: ConfigInForce = { config: first ?? loadConfig(path), generation: 1 };
  return {
    inForce: () => inForce,
    reload() {
      const read = loadConfigFile(path);
      if (read === undefined && isFromFile) {
        throw new HushError('BAD_REQUEST', `${path} is not there any more: the config read before stays`, {
          hint: `put ${path} back; for the defaults leave it empty`,
        });
      }
      const config = read ?? loadConfig(path);
      checkSocketGroup(config.transport);
      isFromFile ||= read !== undefined;
      inForce = { config, generation: inForce.generation + 1 };
    },
  };
}
