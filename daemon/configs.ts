import type { Config } from './config/config.ts';
import { loadConfig } from './config/load.ts';
import type { ConfigInForce } from './peer.ts';

/** The config that the daemon goes by. */
export interface Configs {
  inForce(): ConfigInForce;
  /** Reads the file again. Throws as `loadConfig` does; the config in force then stays. */
  reload(): void;
}

/** The config of the file at `path`. Throws as `loadConfig` does. */
export function createConfigs(path: string): Configs {
  let inForce: ConfigInForce = { config: loadConfig(path), generation: 1 };
  return {
    inForce: () => inForce,
    reload() {
      const config: Config = loadConfig(path);
      inForce = { config, generation: inForce.generation + 1 };
    },
  };
}
