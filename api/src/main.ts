import { run } from './commands.ts';

process.exitCode = await run(['serve']);
