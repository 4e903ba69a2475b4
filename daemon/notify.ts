import { sendUnixDatagram } from '../native/unix-datagram.ts';

/** What a service manager can be told (sd_notify(3)). */
export type ServiceState = 'ready' | 'reloading' | 'stopping';

/**
 * Tells the service manager that started this process of its state, when `NOTIFY_SOCKET` says that one wants to
 * know; `status` is a line for `systemctl status`. False when nobody asked. Throws BAD_REQUEST when the variable is
 * no address, UNAVAILABLE when nobody listens there.
 */
export function notifyServiceManager(env: NodeJS.ProcessEnv, state: ServiceState, status?: string): boolean {
  const socket = env['NOTIFY_SOCKET'];
  if (socket === undefined || socket === '') return false;
  const lines = [...stateLines[state](), ...(status === undefined ? [] : [`STATUS=${oneLine(status)}`])];
  sendUnixDatagram(socket, new TextEncoder().encode(lines.join('\n')));
  return true;
}

/** Type=notify-reload wants the monotonic time with RELOADING, and READY once it is over. */
const stateLines: Readonly<Record<ServiceState, () => readonly string[]>> = {
  ready: () => ['READY=1'],
  reloading: () => ['RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`],
  stopping: () => ['STOPPING=1'],
};

const oneLine = (text: string): string => text.replace(/\s+/g, ' ');
