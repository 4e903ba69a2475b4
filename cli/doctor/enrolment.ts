import { readSafeFile } from '../../daemon/home/files.ts';
import type { HomePaths } from '../../daemon/home/paths.ts';
import { parseDaemonKey } from '../../noise/daemon-key.ts';
import { longestClientsFile, parseClients } from '../../noise/enrolled.ts';
import { longestKeyText } from '../../noise/key-text.ts';
import { HushError } from '../../protocol/errors.ts';
import { countText } from '../format.ts';
import type { Finding } from './finding.ts';

const check = 'enrolled';
const putBack = 'put it back from a copy of the home; or remove all clients, and enrol them again';

/** Whether enrolled clients can know the daemon: their list, and the key that it proves itself by. */
export function lookAtEnrolment({ clients, noiseKey }: HomePaths): readonly Finding[] {
  const list = readSafeFile(clients, longestClientsFile);
  const enrolled = list === undefined ? 0 : countIn(list);
  if (typeof enrolled !== 'number') {
    return [
      {
        check,
        state: 'problem',
        message: `${clients}: ${enrolled.message}`,
        hint: 'restore it; see "A damaged file" in docs/operations.md',
      },
    ];
  }
  const key = readSafeFile(noiseKey, longestKeyText);
  const fault = key === undefined ? undefined : faultOf(key);
  if (fault !== undefined) {
    return [{ check, state: 'problem', message: `${noiseKey}: ${fault.message}`, hint: putBack }];
  }
  if (enrolled === 0) return [];
  const who = countText(enrolled, 'enrolled client');
  if (key === undefined) {
    return [
      { check, state: 'problem', message: `${noiseKey} is missing: ${who} cannot connect`, hint: putBack },
    ];
  }
  return [{ check, state: 'ok', message: `${who}, and the key by which they know the daemon` }];
}

function countIn(file: Uint8Array): number | HushError {
  try {
    return parseClients(file).length;
  } catch (error) {
    if (error instanceof HushError) return error;
    throw error;
  }
}

/** What is wrong with the daemon's key pair; the file is wiped. */
function faultOf(file: Uint8Array): HushError | undefined {
  try {
    parseDaemonKey(file).privateKey.fill(0);
    return undefined;
  } catch (error) {
    if (error instanceof HushError) return error;
    throw error;
  } finally {
    file.fill(0);
  }
}
