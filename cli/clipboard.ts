import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HushError } from '../protocol/errors.ts';
import { isInert } from './inert.ts';

/** The programs that reach a clipboard; the value passes through their standard input and output, never their arguments. */
export interface Clipboard {
  readonly name: string;
  readonly copy: readonly string[];
  readonly paste: readonly string[];
  /** Run with nothing on its standard input. */
  readonly clear: readonly string[];
}

/** What the program that takes a value away again is told, as JSON on its standard input. */
export interface Clearing {
  readonly clipboard: Clipboard;
  readonly seconds: number;
  /** SHA-256 of the value, in hex: nothing else is taken away. */
  readonly digest: string;
}

/** Every clipboard that hush knows, and the variable without which its programs have nobody to speak to. */
const clipboards: readonly (Clipboard & { readonly needs?: string })[] = [
  {
    name: 'wl-copy',
    needs: 'WAYLAND_DISPLAY',
    copy: ['wl-copy', '--type', 'text/plain'],
    paste: ['wl-paste', '--no-newline'],
    clear: ['wl-copy', '--clear'],
  },
  {
    name: 'xclip',
    needs: 'DISPLAY',
    copy: ['xclip', '-selection', 'clipboard', '-in'],
    paste: ['xclip', '-selection', 'clipboard', '-out'],
    clear: ['xclip', '-selection', 'clipboard', '-in'],
  },
  {
    name: 'xsel',
    needs: 'DISPLAY',
    copy: ['xsel', '--clipboard', '--input'],
    paste: ['xsel', '--clipboard', '--output'],
    clear: ['xsel', '--clipboard', '--clear'],
  },
  { name: 'pbcopy', copy: ['pbcopy'], paste: ['pbpaste'], clear: ['pbcopy'] },
];

/** The clipboard of the session that the environment tells of. Throws UNAVAILABLE where there is none. */
export function clipboardOf(env: NodeJS.ProcessEnv): Clipboard {
  const found = clipboards.find(
    ({ needs, copy, paste }) =>
      (needs === undefined || (env[needs] ?? '') !== '') &&
      [copy, paste].every(([program = '']) => isFound(program, env)),
  );
  if (found !== undefined) {
    const { name, copy, paste, clear } = found;
    return { name, copy, paste, clear };
  }
  throw new HushError('UNAVAILABLE', 'there is no clipboard to reach from here', {
    hint: 'in a Wayland session install wl-clipboard, in one of X xclip or xsel; or use --output FILE',
  });
}

function isFound(program: string, { PATH = '' }: NodeJS.ProcessEnv): boolean {
  return PATH.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Puts a value into the clipboard, and leaves a process behind that takes it away after so many seconds, if it is still
 * there. Throws BAD_REQUEST for a value that is no text, UNAVAILABLE where the clipboard refuses it.
 */
export async function copyForAWhile(
  clipboard: Clipboard,
  value: Uint8Array,
  seconds: number,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  if (!isInert(value)) {
    throw new HushError('BAD_REQUEST', 'the value is no text, and does not go through a clipboard', {
      hint: 'use --output FILE',
    });
  }
  await copy(clipboard, value, env);
  const digest = createHash('sha256').update(value).digest('hex');
  await leaveClearing({ clipboard, seconds, digest }, env);
}

function copy(
  { name, copy: [program = '', ...words] }: Clipboard,
  value: Uint8Array,
  env: NodeJS.ProcessEnv,
) {
  return new Promise<void>((resolve, reject) => {
    const refuse = (why: string, cause?: Error): void => {
      reject(
        new HushError('UNAVAILABLE', `${name} does not take the value: ${why}`, {
          hint: 'use --output FILE',
          cause,
        }),
      );
    };
    const child = spawn(program, words, { env: sessionOf(env), stdio: ['pipe', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.stdin.on('error', () => undefined);
    child.stdin.end(value);
    child.on('error', (error) => {
      refuse(error.message, error);
    });
    // One that has taken the value lives on in the background to serve it, and keeps its standard error open.
    child.on('exit', (code) => {
      if (code !== 0) return;
      child.stderr.destroy();
      resolve();
    });
    child.on('close', (code) => {
      const why = said.trim().replaceAll(/\s*\n\s*/g, '; ');
      if (code !== 0) refuse(why === '' ? `it ended with ${code}` : why);
    });
  });
}

/** Starts the program that waits and clears, in a session of its own: it outlives this process and its terminal. */
function leaveClearing(clearing: Clearing, env: NodeJS.ProcessEnv): Promise<void> {
  const file = new URL(
    import.meta.url.endsWith('.ts') ? './clipboard-clearing.ts' : './clipboard-clearing.js',
    import.meta.url,
  );
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [fileURLToPath(file)], {
      cwd: '/',
      detached: true,
      env: sessionOf(env),
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const refuse = (cause: Error): void => {
      const why = 'the value is in the clipboard, and nothing is there to take it away';
      reject(new HushError('UNAVAILABLE', why, { hint: 'copy something else over it', cause }));
    };
    child.on('error', refuse);
    child.stdin.on('error', refuse);
    child.stdin.end(JSON.stringify(clearing), () => {
      child.unref();
      resolve();
    });
  });
}

/** What programs of a clipboard need to find their session, and nothing of ours. */
function sessionOf(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = ['PATH', 'HOME', 'LANG', 'DISPLAY', 'XAUTHORITY', 'WAYLAND_DISPLAY', 'XDG_RUNTIME_DIR'];
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}
