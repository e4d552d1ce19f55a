import type { Log } from '../log.ts';

export type Entry = { level: string; message: string; [field: string]: unknown };

/** A log that keeps its entries for tests. */
export type MemoryLog = Log & { entries: Entry[] };

export function memoryLog(): MemoryLog {
  const entries: Entry[] = [];
  const at = (level: string) => (message: string, fields?: object) =>
    entries.push({ level, message, ...fields });
  return { entries, error: at('error'), warn: at('warn'), info: at('info') } as unknown as MemoryLog;
}
