/** Another service cannot be asked. The message says why, and holds neither the address nor what was asked: keys are in there. */
export class OutsideTrouble extends Error {}

type Limits = { seconds: number; bytes: number };

const mostHops = 3;

/** What another service answers with a success, or null where it says that there is nothing. Throws `OutsideTrouble`, also for what is too slow or too large. */
export async function fetchOutside(url: URL, { seconds, bytes }: Limits): Promise<Buffer | null> {
  try {
    const signal = AbortSignal.timeout(seconds * 1_000);
    const response = await follow(url, signal);
    if (response.status === 404 || response.status === 410) return null;
    if (!response.ok) throw new OutsideTrouble(`it answers ${response.status}`);
    return await bounded(response, bytes);
  } catch (error) {
    if (error instanceof OutsideTrouble) throw error;
    const { name, cause } = error as { name: string; cause?: { code?: string } };
    const reason = name === 'TimeoutError' ? `no answer within ${seconds} s` : (cause?.code ?? name);
    throw new OutsideTrouble(`it cannot be reached (${reason})`);
  }
}

/** Follows redirects as long as they stay at the same host: whoever asks for one thing can't be made to fetch another. */
async function follow(url: URL, signal: AbortSignal): Promise<Response> {
  for (let at = url, hops = 0; ; hops++) {
    const response = await fetch(at, { redirect: 'manual', signal, headers: { 'User-Agent': 'map-app' } });
    const location = response.headers.get('location');
    if (response.status < 300 || response.status > 399 || location === null) return response;
    await response.body?.cancel();
    at = new URL(location, at);
    if (at.origin !== url.origin) throw new OutsideTrouble('it leads to another host');
    if (hops === mostHops) throw new OutsideTrouble('it leads in circles');
  }
}

async function bounded(response: Response, most: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    // Leaving the loop ends the transfer.
    if (length > most) throw new OutsideTrouble(`it answers more than ${most} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
