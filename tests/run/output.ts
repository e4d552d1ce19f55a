import { AsyncLocalStorage } from 'node:async_hooks';

const captured = new AsyncLocalStorage<string[]>();

/** Writes to the terminal, or to what `capture` collects around it. */
export function print(text: string): void {
  const parts = captured.getStore();
  if (parts) parts.push(text);
  else process.stdout.write(text);
}

/** Prints what `run` prints in one piece when it ends, so that two stages that run side by side stay readable. */
export async function capture<T>(run: () => Promise<T>): Promise<T> {
  const parts: string[] = [];
  try {
    return await captured.run(parts, run);
  } finally {
    print(parts.join(''));
  }
}
