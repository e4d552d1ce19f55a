/**
 * Lets calls that wait share runs: each call gets the result of a run that began after the call was made, and one run is under way at a time.
 * A thousand calls that come during a run so cost one more.
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
