import { spawn } from 'node:child_process';
import { causeOf, type Log } from '../log.ts';

type Environment = Record<string, string | undefined>;

/** Notifies systemd. Does nothing if systemd did not start this process. */
export type Supervisor = {
  ready(): void;
  status(sentence: string): void;
  stopping(): void;
  /** Stops the pings, after which systemd kills this process when the watchdog times out. */
  close(): void;
};

/** Returns the descriptor of the listening socket that systemd passed (sd_listen_fds(3)), or null. */
export function passedSocket(env: Environment): number | null {
  if (env['LISTEN_PID'] !== String(process.pid) || !env['LISTEN_FDS']) return null;
  return 3;
}

/**
 * Implements sd_notify(3) through the command systemd-notify, since Node has no datagrams on unix sockets. The unit
 * needs `NotifyAccess=all`. The watchdog is notified from the event loop at half its timeout, so that systemd kills a
 * worker that hangs.
 */
export function superviseBy(env: Environment, log: Log): Supervisor {
  const tell = env['NOTIFY_SOCKET'] ? (...words: string[]) => notify(words, log) : () => undefined;
  const watchdog = env['WATCHDOG_PID'] === String(process.pid) ? Number(env['WATCHDOG_USEC']) / 1_000 : 0;
  const ping = watchdog > 0 ? setInterval(() => tell('WATCHDOG=1'), watchdog / 2).unref() : undefined;
  return {
    ready: () => tell('READY=1'),
    status: (sentence) => tell(`STATUS=${sentence}`),
    stopping: () => tell('STOPPING=1'),
    close: () => clearInterval(ping),
  };
}

function notify(words: string[], log: Log): void {
  const child = spawn('systemd-notify', words, { stdio: 'ignore' });
  child.on('error', (error) => log.error('systemd cannot be notified', causeOf(error)));
  child.unref();
}
