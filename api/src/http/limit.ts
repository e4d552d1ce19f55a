import type { Route } from './route.ts';

/** The rate limits of nginx per address (role nginx): writes, staff sign-ins, lookups. */
export type Limit = 'write' | 'sign_in' | 'look_up';

/** The parts of a declaration that determine the rate limit. */
type Limited = Pick<Route, 'method' | 'access' | 'stores' | 'limit'>;

/** Returns whether a call writes, and so needs free disk space. */
export const writes = ({ method, stores }: Limited): boolean => stores ?? method !== 'get';

/** Returns the rate limit of a call, or undefined for a read that declares none. */
export function limitOf(call: Limited): Limit | undefined {
  return call.limit ?? (call.method !== 'get' || writes(call) ? 'write' : undefined);
}

/** Returns whether a call also counts against the limit of all visitors together. */
export const isVisitorWrite = (call: Limited): boolean =>
  call.access === 'public' && writes(call) && limitOf(call) === 'write';
