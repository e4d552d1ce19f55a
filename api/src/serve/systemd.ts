import { spawn } from 'node:child_process';
import { causeOf, type Log } from '../log.ts';

type Environment = Record<string, string | undefined>;

/** What systemd is told: nothing at all where it did not start this process. */
export type Supervisor = {
  ready(): void;
  status(sentence: string): void;
  stopping(): void;
  /** Ends the pings, after which systemd kills this process in its own time. */
  close(): void;
};

/** The descriptor of the listening socket that systemd passed in (sd_listen_fds(3)), or null. */
export function passedSocket(env: Environment): number | null {
  if (env['LISTEN_PID'] !== String(process.pid) || !env['LISTEN_FDS']) return null;
  return 3;
}

/**
 * Speaks sd_notify(3) through the command systemd-notify, since Node has no datagrams on unix sockets; the unit needs `NotifyAccess=all`.
 * The watchdog is fed from the event loop at half its time, so that a worker that hangs is killed.
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
  child.on('error', (error) => log.error('systemd cannot be told', causeOf(error)));
  child.unref();
}
