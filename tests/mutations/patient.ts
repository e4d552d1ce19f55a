import Mocha from 'mocha';

// Mocha loads this file before the tests. On a busy machine, a test that is only slow would count as one that detects a mutation.
const factor = 10;

const runnable: { timeout: (this: Mocha.Runnable, ...limit: number[]) => unknown } = Mocha.Runnable.prototype;
const { timeout } = runnable;
runnable.timeout = function (this: Mocha.Runnable, ...limit) {
  return Reflect.apply(
    timeout,
    this,
    limit.map((milliseconds) => factor * milliseconds),
  );
};
