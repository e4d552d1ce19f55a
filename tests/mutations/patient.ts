import Mocha from 'mocha';

// Mocha loads this file before the tests. On a busy machine, a test that is only slow would count as one that detects a mutation.
const factor = 10;

/** Above this limit a test has time enough already, and a mutation that makes it wait would cost ten times as long. In milliseconds. */
const enough = 60_000;

const runnable: { timeout: (this: Mocha.Runnable, ...limit: number[]) => unknown } = Mocha.Runnable.prototype;
const { timeout } = runnable;
runnable.timeout = function (this: Mocha.Runnable, ...limit) {
  return Reflect.apply(
    timeout,
    this,
    limit.map((milliseconds) => Math.max(milliseconds, Math.min(factor * milliseconds, enough))),
  );
};
