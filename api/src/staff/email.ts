/** An e-mail address as it is compared: without spaces around it, in lower case. Null if it cannot be one. */
export function emailAddress(text: string): string | null {
  const address = text.trim().toLowerCase();
  return address.length <= 254 && /^[^\s@,;<>"]+@[^\s@,;<>"]+\.[^\s@,;<>".]+$/.test(address) ? address : null;
}
