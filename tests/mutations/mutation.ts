/**
 * A realistic programming mistake: one text of a file is replaced by another. The first must occur exactly once in its file; `npm run test:mutations
 * -- --check` checks that. Update a mutation with the code that it changes, and add mutations for new code.
 */
export type Mutation = [from: string, to: string];

/** A mutation and the path of the file that it changes. */
export type Case = { file: string; mutation: Mutation };
