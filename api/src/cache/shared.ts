/**
 * Coalesces concurrent calls: each call gets the result of a run that began after the call, and only one run is in
 * progress at a time. A thousand calls during a run cost one more run.
 */
export function shared<Result>(run: () => Promise<Result>): () => Promise<Result> {
  let underway: Promise<unknown> | undefined;
  let next: Promise<Result> | undefined;
  const begin = (): Promise<Result> => {
    next = undefined;
    const result = run();
    const end = () => {
      if (underway === ended) underway = undefined;
    };
    const ended: Promise<void> = result.then(end, end);
    underway = ended;
    return result;
  };
  return () => {
    if (!underway) return begin();
    next ??= underway.then(begin);
    return next;
  };
}
