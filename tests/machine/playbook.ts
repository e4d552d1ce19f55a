import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { environment, root, run, type Ended } from '../run/command.ts';

/** What one task did on the machine, in words of the playbook. */
export type TaskResult = { name: string; changed: boolean; failed: boolean; message: string };

/** How a run of a playbook ended. */
export type Run = {
  code: number;
  /** Names of the tasks and handlers that reported a change, each once, in order. */
  changed: string[];
  /** The task that ended the run, and what it said. */
  failure: TaskResult | undefined;
  /** All that it printed. */
  output: string;
  seconds: number;
};

export type RunOptions = {
  /** The sandbox's name. */
  sandbox: string;
  playbook?: string;
  inventory?: string;
  /** Variables given on the command line. */
  vars?: Record<string, unknown>;
  arguments?: string[];
  environment?: Record<string, string>;
  /**
   * `linear` is Ansible's own strategy and connections, for tests of Ansible itself: what an operator sees when a run is
   * killed, a login fails or a secret could leak. `mitogen` takes about a third of the time. Default: `mitogen` for
   * site.yml, `linear` for any other playbook, which is then the subject of the test.
   */
  strategy?: 'linear' | 'mitogen';
  /** Called as each task ends; `signal` signals ansible-playbook and all that it started here. */
  watch?: (result: TaskResult, signal: (name: NodeJS.Signals) => void) => void;
};

/** Runs a playbook against a sandbox machine. It does not throw when the run fails: see `code`. */
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

/** Runs playbooks/status.yml as an operator does: what it prints is its screen. */
export const runStatus = (sandbox: string, ...extra: string[]): Promise<Ended> =>
  run(['ansible-playbook', '-i', 'inventory/sandbox', 'playbooks/status.yml', ...extra], {
    environment: { SANDBOX: sandbox },
  });

/** @returns one sentence and the end of the output, for an assertion's message */
export function explain(run: Run): string {
  const why = run.failure ? `${run.failure.name}: ${run.failure.message}` : '';
  return `ansible-playbook ended with ${run.code}. ${why || run.output.slice(-3000)}`;
}

const strategies: Record<string, Record<string, string>> = {
  linear: {},
  // It does not read the sandbox's ssh arguments, which accept any host key.
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
        // A line of JSON an event, as it happens.
        ANSIBLE_STDOUT_CALLBACK: 'ansible.posix.jsonl',
        ANSIBLE_NOCOLOR: '1',
        ...strategies[options.strategy ?? (options.playbook ? 'linear' : 'mitogen')],
        ...options.environment,
      }),
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own, so that its forks can be killed with it.
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

/** Reads a line of output: the end of a task, or undefined for any other. */
function read(line: string): TaskResult | undefined {
  if (!line.startsWith('{')) return undefined;
  const event = JSON.parse(line) as Event;
  if (!/^v2_runner_on_(ok|failed|unreachable)$/.test(event._event)) return undefined;
  const [result] = Object.values(event.hosts);
  return {
    // "role : Task name"; the role says nothing more.
    name: event.task.name.replace(/^\S+ : /, ''),
    changed: result?.changed === true,
    failed: event._event !== 'v2_runner_on_ok',
    message: messages(result ?? {}).join('\n'),
  };
}

/** What a task said; a loop says it by its items. From core 2.21 on only their exceptions tell which ones failed. */
function messages({ msg, stderr, results }: Result): string[] {
  const items = (results ?? [])
    .filter(({ failed, exception }) => failed || exception !== undefined)
    .flatMap(messages);
  return items.length > 0 ? items : [msg, stderr].filter(Boolean).map(String);
}
