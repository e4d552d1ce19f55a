import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { environment, root, run, type Ended } from '../run/command.ts';

/** The result of one task. */
export type TaskResult = { name: string; changed: boolean; failed: boolean; message: string };

/** The result of a playbook run. */
export type Run = {
  code: number;
  /** Names of the tasks and handlers that reported a change, without duplicates, in order. */
  changed: string[];
  /** The task that failed, if any. */
  failure: TaskResult | undefined;
  /** Standard output and standard error. */
  output: string;
  seconds: number;
};

export type RunOptions = {
  /** The name of the sandbox machine. */
  sandbox: string;
  playbook?: string;
  inventory?: string;
  /** Variables for --extra-vars. */
  vars?: Record<string, unknown>;
  arguments?: string[];
  environment?: Record<string, string>;
  /**
   * `linear` uses Ansible's default strategy and connections, for tests of killed runs, failed logins and leaked secrets. `mitogen` takes about
   * three quarters of the time. Default: `mitogen` for site.yml, `linear` for other playbooks.
   */
  strategy?: 'linear' | 'mitogen';
  /** Called after each task. `signal` sends a signal to ansible-playbook and its child processes. */
  watch?: (result: TaskResult, signal: (name: NodeJS.Signals) => void) => void;
};

/** Runs a playbook against a sandbox machine. Does not throw if the run fails: check `code`. */
export async function play(options: RunOptions): Promise<Run> {
  const started = performance.now();
  const child = start(options);
  const results: TaskResult[] = [];
  let output = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (output += text));
  createInterface({ input: child.stdout! }).on('line', (line) => {
    output += `${line}\n`;
    const result = read(line);
    if (!result) return;
    results.push(result);
    options.watch?.(result, (name) => process.kill(-child.pid!, name));
  });
  const code = await new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? 137)));
  return {
    code,
    changed: [...new Set(results.filter((result) => result.changed).map((result) => result.name))],
    failure: code === 0 ? undefined : results.findLast((result) => result.failed),
    output,
    seconds: (performance.now() - started) / 1000,
  };
}

/** Runs playbooks/status.yml with its normal output. */
export const runStatus = (sandbox: string, ...extra: string[]): Promise<Ended> =>
  run(['ansible-playbook', '-i', 'inventory/sandbox', 'playbooks/status.yml', ...extra], {
    environment: { SANDBOX: sandbox },
  });

/** @returns the failure, or else the end of the output, for the message of an assertion */
export function explain(run: Run): string {
  const why = run.failure ? `${run.failure.name}: ${run.failure.message}` : '';
  return `ansible-playbook ended with ${run.code}. ${why || run.output.slice(-3000)}`;
}

const strategies: Record<string, Record<string, string>> = {
  linear: {},
  // Mitogen ignores the sandbox's ssh arguments, which accept any host key.
  mitogen: { ANSIBLE_STRATEGY: 'mitogen', ANSIBLE_HOST_KEY_CHECKING: 'False' },
};

function start(options: RunOptions): ChildProcess {
  const extra = options.vars ? ['--extra-vars', JSON.stringify(options.vars)] : [];
  return spawn(
    'ansible-playbook',
    [
      '-i',
      options.inventory ?? 'inventory/sandbox',
      options.playbook ?? 'site.yml',
      ...extra,
      ...(options.arguments ?? []),
    ],
    {
      cwd: root,
      env: environment({
        SANDBOX: options.sandbox,
        // Prints each event immediately as a line of JSON.
        ANSIBLE_STDOUT_CALLBACK: 'ansible.posix.jsonl',
        ANSIBLE_NOCOLOR: '1',
        ...strategies[options.strategy ?? (options.playbook ? 'linear' : 'mitogen')],
        ...options.environment,
      }),
      stdio: ['ignore', 'pipe', 'pipe'],
      // Creates a process group, so that child processes can be signalled too.
      detached: true,
    },
  );
}

type Result = {
  changed?: boolean;
  failed?: boolean;
  exception?: string;
  msg?: unknown;
  stderr?: string;
  results?: Result[];
};

type Event = {
  _event: string;
  task: { name: string };
  hosts: Record<string, Result>;
};

/** Parses a line of output. Returns undefined unless it is the result of a task. */
function read(line: string): TaskResult | undefined {
  if (!line.startsWith('{')) return undefined;
  const event = JSON.parse(line) as Event;
  if (!/^v2_runner_on_(ok|failed|unreachable)$/.test(event._event)) return undefined;
  const [result] = Object.values(event.hosts);
  return {
    // Removes the role from "role : Task name".
    name: event.task.name.replace(/^\S+ : /, ''),
    changed: result?.changed === true,
    failed: event._event !== 'v2_runner_on_ok',
    message: messages(result ?? {}).join('\n'),
  };
}

/** Returns the messages of a task, or of the failed items of a loop. In core 2.21 and later only the exception marks a failed item. */
function messages({ msg, stderr, results }: Result): string[] {
  const items = (results ?? [])
    .filter(({ failed, exception }) => failed || exception !== undefined)
    .flatMap(messages);
  return items.length > 0 ? items : [msg, stderr].filter(Boolean).map(String);
}
