import { join } from 'node:path';

import { readKeyText, type KeyFile } from '../native/key-file.ts';
import { HushError } from '../protocol/errors.ts';
import { masterKeyBytes, masterKeyTextBytes, parseMasterKey } from '../protocol/master-key-text.ts';
import { diskError } from './home/disk-errors.ts';
import type { SecureArena, SecureBytes } from './memory/secure-bytes.ts';

/**
 * The key in a file: its text as `parseMasterKey` takes it, and at most one line end after it. The file may be root's,
 * where a home's files may not. Throws UNSAFE_MODE when others can reach it, BAD_REQUEST when it is not there or
 * holds no key, UNAVAILABLE when it cannot be read. The caller wipes the key.
 */
export function readKeyFile(path: string, arena: SecureArena): SecureBytes {
  const key = readIfThere({ what: 'the key file', path, forbiddenMode: 0o077 }, arena);
  if (key !== undefined) return key;
  throw new HushError('BAD_REQUEST', `the key file ${path} does not exist`, {
    hint: 'name the file that holds the key, in --key-file',
  });
}

/**
 * The key in the systemd credential `hushd-master-key` (systemd.exec(5), LoadCredential), or undefined when the unit
 * has none. Throws as `readKeyFile`.
 */
export function readCredential(env: NodeJS.ProcessEnv, arena: SecureArena): SecureBytes | undefined {
  const folder = env['CREDENTIALS_DIRECTORY'];
  if (folder === undefined || folder === '') return undefined;
  // systemd lets the service's user in by an access control list, which stat shows as the group's right to read.
  return readIfThere(
    { what: 'the credential', path: join(folder, 'hushd-master-key'), forbiddenMode: 0o037 },
    arena,
  );
}

function readIfThere(file: KeyFile, arena: SecureArena): SecureBytes | undefined {
  const room = arena.allocate(masterKeyTextBytes);
  const key = arena.allocate(masterKeyBytes);
  try {
    const text = readKeyText(file, room.bytes);
    if (text !== undefined) {
      parseMasterKey(text, key.bytes, `${file.what} ${file.path}`);
      return key;
    }
  } catch (error) {
    key.wipe();
    throw diskError(`cannot read ${file.what} ${file.path}`, error);
  } finally {
    room.wipe();
  }
  key.wipe();
  return undefined;
}
