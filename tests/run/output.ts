import { AsyncLocalStorage } from 'node:async_hooks';

const captured = new AsyncLocalStorage<string[]>();

/** Writes to standard output, or to the buffer of an enclosing `capture`. */
export function print(text: string): void {
  const parts = captured.getStore();
  if (parts) parts.push(text);
  else process.stdout.write(text);
}

/** Runs `run` and prints all its output at the end, so that the outputs of parallel stages are not mixed. */
export async function capture<T>(run: () => Promise<T>): Promise<T> {
  const parts: string[] = [];
  try {
    return await captured.run(parts, run);
  } finally {
    print(parts.join(''));
  }
}
