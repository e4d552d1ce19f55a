/** Why a picture is not taken, as the rest of a sentence that begins with what the picture is called. */
export class BadPicture extends Error {
  readonly fault: 'type' | 'size' | 'damage';
  constructor(fault: 'type' | 'size' | 'damage', rest: string) {
    super(rest);
    this.fault = fault;
  }
}

export const damaged = () => new BadPicture('damage', 'is damaged');

/** A picture without what it does not show. `pixels` are those that a viewer must decode, of all frames together. */
export type Cleaned = { width: number; height: number; pixels: number; parts: Buffer[] };

/** Part of a file. Throws `BadPicture` if the file does not have it. */
export function slice(bytes: Buffer, from: number, length: number): Buffer {
  if (length < 0 || from + length > bytes.length) throw damaged();
  return bytes.subarray(from, from + length);
}

const mostPieces = 10_000;

/** A function to be called for each piece of a file. It throws `BadPicture` for more than a picture has: a million empty ones would take their time. */
export function pieceCounter(): () => void {
  let pieces = 0;
  return () => {
    if (++pieces > mostPieces) throw damaged();
  };
}
