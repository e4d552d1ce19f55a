/** An e-mail address as it is compared: without spaces around it, in lower case. Null if it cannot be one. */
export function emailAddress(text: string): string | null {
  const address = text.trim().toLowerCase();
  return address.length <= 254 &&
    /^[^\s\p{Cc}@,;<>"]+@[^\s\p{Cc}@,;<>"]+\.[^\s\p{Cc}@,;<>".]+$/u.test(address)
    ? address
    : null;
}
