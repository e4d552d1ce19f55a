import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { stdin, stdout } from 'node:process';
import { BadBody, readFields, whole } from './body.ts';
import { makePicture } from './make.ts';
import { BadPicture } from './picture.ts';
import type { Result } from './isolated.ts';

// Runs as a separate process (see isolated.ts): reads a body from stdin, and writes the result to stdout as JSON.
// Arguments: the content type of the body, and the field that contains the picture. Without arguments the body is the
// picture.
const [contentType, field] = process.argv.slice(2);

// If memory runs out, the kernel kills this process rather than a worker or the database.
try {
  writeFileSync('/proc/self/oom_score_adj', '1000');
} catch {
  // The file exists only on Linux.
}
// Other requests take precedence over decoding. The threads that decode start later and inherit the priority.
try {
  setPriority(constants.priority.PRIORITY_LOW);
} catch {
  // The sandbox of map-app@.service forbids the call. There, the unit gives the worker precedence over its children.
}

stdout.write(JSON.stringify(await result()));

async function result(): Promise<Result> {
  let body: unknown = null;
  try {
    const fields =
      contentType !== undefined && field !== undefined
        ? await readFields(stdin, contentType, field)
        : { body, file: await whole(stdin) };
    ({ body } = fields);
    if (fields.file === null) return { body, picture: null };
    // The digest replaces the file, so that two requests with different files differ.
    if (field !== undefined) body = { ...(body as object), [field]: digest(fields.file) };
    const { bytes, sizes, ...picture } = await makePicture(fields.file);
    return {
      body,
      picture: {
        ...picture,
        bytes: bytes.toString('base64'),
        sizes: sizes.map((size) => ({ ...size, bytes: size.bytes.toString('base64') })),
      },
    };
  } catch (error) {
    if (error instanceof BadPicture) return { body, refusal: { fault: error.fault, message: error.message } };
    if (error instanceof BadBody) return { malformed: error.message };
    throw error;
  }
}

function digest(file: Buffer): string {
  return createHash('sha256').update(file).digest('hex');
}
