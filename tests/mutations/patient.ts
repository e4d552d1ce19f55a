import Mocha from 'mocha';

// Mocha loads this file before the tests. On a busy machine, a test that is only slow would count as one that detects a mutation.
const factor = 10;

const { timeout } = Mocha.Runnable.prototype;
Mocha.Runnable.prototype.timeout = function (this: Mocha.Runnable, ...limit: (string | number)[]) {
  const longer = limit.map((milliseconds) => factor * Number(milliseconds));
  return Reflect.apply(timeout, this, longer);
} as typeof timeout;
