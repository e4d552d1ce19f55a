const retried = new Set(['40001', '40P01']);

/** Runs `write` again, up to twice, when PostgreSQL undid it for a deadlock or a serialisation failure: it then left no trace. */
export async function retrying<Result>(write: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      if (attempt === 3 || !retried.has(String((error as { code?: unknown }).code))) throw error;
    }
  }
}
