import { declareRoutes, type Dependencies } from './app.ts';
import type { Route } from './http/route.ts';

/** Every route of the API, for code that only reads the declarations. Their handlers cannot run. */
export const declaredRoutes: readonly Route[] = declareRoutes({
  db: () => undefined,
  staffEmails: new Set(),
  sessionKey: Buffer.alloc(32),
  log: {},
} as unknown as Dependencies);
