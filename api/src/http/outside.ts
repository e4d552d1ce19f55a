/**
 * A remote service cannot be used. The message names the cause, and contains neither the URL nor the request, because
 * they may contain keys.
 */
export class OutsideTrouble extends Error {}

type Limits = { seconds: number; bytes: number };

const mostHops = 3;

/**
 * Fetches a URL of a remote service. Returns null for a 404. Throws `OutsideTrouble` if the request fails, or if the
 * response is too slow or too large.
 */
export async function fetchOutside(url: URL, { seconds, bytes }: Limits): Promise<Buffer | null> {
  try {
    const signal = AbortSignal.timeout(seconds * 1_000);
    const response = await follow(url, signal);
    if (response.status === 404 || response.status === 410) return null;
    if (!response.ok) throw new OutsideTrouble(`it returned ${response.status}`);
    return await bounded(response, bytes);
  } catch (error) {
    if (error instanceof OutsideTrouble) throw error;
    const { name, cause } = error as { name: string; cause?: { code?: string } };
    const reason = name === 'TimeoutError' ? `no response within ${seconds} s` : (cause?.code ?? name);
    throw new OutsideTrouble(`it cannot be reached (${reason})`);
  }
}

/** Follows redirects within the same host, so that a service cannot make the API fetch other URLs (SSRF). */
async function follow(url: URL, signal: AbortSignal): Promise<Response> {
  for (let at = url, hops = 0; ; hops++) {
    const response = await fetch(at, { redirect: 'manual', signal, headers: { 'User-Agent': 'map-app' } });
    const location = response.headers.get('location');
    if (response.status < 300 || response.status > 399 || location === null) return response;
    await response.body?.cancel();
    at = new URL(location, at);
    if (at.origin !== url.origin) throw new OutsideTrouble('it redirects to another host');
    if (hops === mostHops) throw new OutsideTrouble('it redirects too often');
  }
}

async function bounded(response: Response, most: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    // Leaving the loop aborts the transfer.
    if (length > most) throw new OutsideTrouble(`the response has more than ${most} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
