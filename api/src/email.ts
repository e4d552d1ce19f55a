/** Normalizes an e-mail address for comparison: trimmed, in lower case. Returns null if it cannot be an address. */
export function emailAddress(text: string): string | null {
  const address = text.trim().toLowerCase();
  return address.length <= 254 &&
    /^[^\s\p{Cc}@,;<>"]+@[^\s\p{Cc}@,;<>"]+\.[^\s\p{Cc}@,;<>".]+$/u.test(address)
    ? address
    : null;
}
