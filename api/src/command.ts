/** A command of the program. `run` receives the arguments after its name and resolves to the exit status: 0 done, 1 failed, 2 invalid arguments or configuration. */
export type Command = { summary: string; run(args: string[]): Promise<number> };
