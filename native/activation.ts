import { HushError } from '../protocol/errors.ts';
import { setCloseOnExec } from './descriptors.ts';
import { isUnixListener } from './unix-address.ts';

/** The first descriptor that a service manager hands over (sd_listen_fds(3), SD_LISTEN_FDS_START). */
const firstDescriptor = 3;
const countPattern = /^\d{1,3}$/;

/**
 * The listening Unix-domain socket that a service manager has handed to this process (sd_listen_fds(3)), or undefined
 * where it has handed over none. Of several it is the one called `name` (FileDescriptorName= of the socket unit). Its
 * variables are taken out of `env`, and what was handed over is closed on execve. Throws BAD_REQUEST for anything but
 * one such socket.
 */
export function takeActivatedSocket(env: NodeJS.ProcessEnv, name: string): number | undefined {
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names = '' } = env;
  for (const variable of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'])
    Reflect.deleteProperty(env, variable);
  if (count === undefined || pid !== String(process.pid)) return undefined;
  if (!countPattern.test(count))
    throw new HushError('BAD_REQUEST', 'LISTEN_FDS is not a number of descriptors');
  const descriptors = Array.from({ length: Number(count) }, (_, index) => firstDescriptor + index);
  if (descriptors.length === 0) return undefined;
  descriptors.forEach(setCloseOnExec);
  const fd = chosen(descriptors, names.split(':'), name);
  if (!isUnixListener(fd)) {
    throw new HushError('BAD_REQUEST', 'the socket that was handed over is no listening Unix-domain socket', {
      hint: 'ListenStream= of the socket unit is a path, and Accept=no',
    });
  }
  return fd;
}

function chosen(descriptors: readonly number[], names: readonly string[], name: string): number {
  const called = descriptors.length === 1 ? descriptors : descriptors.filter((_, at) => names[at] === name);
  const [fd] = called;
  if (fd !== undefined && called.length === 1) return fd;
  throw new HushError(
    'BAD_REQUEST',
    `${descriptors.length} sockets were handed over, and not one alone is called ${name}`,
    { hint: `FileDescriptorName=${name} in the socket unit` },
  );
}
