import {
  STATUS_CODES as statusTexts,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';

/** Node's codes for requests that it cannot parse. Every other code leads to 400. */
const refusals: Record<string, [status: number, message: string]> = {
  HPE_HEADER_OVERFLOW: [431, 'The headers are too large.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'The body is too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request took too long to arrive.'],
};
const malformed: [status: number, message: string] = [400, 'The request is malformed.'];

/**
 * Sends a JSON body for errors of Node's HTTP parser, like for every other error. Routes do not see these errors, and
 * Node itself sends no body.
 */
export function answerParserErrors(server: Server): void {
  const responses = new WeakMap<Socket, ServerResponse>();
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    responses.set(socket, response);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const response = responses.get(socket);
    // The text would become part of a response that has begun.
    const isAnswering = response?.headersSent && !response.writableFinished;
    if (!socket.writable || isAnswering) socket.destroy();
    else socket.end(refusal(...(refusals[error.code ?? ''] ?? malformed)), () => socket.destroy());
  });
}

function refusal(status: number, message: string): string {
  const body = JSON.stringify({ success: false, message });
  return [
    `HTTP/1.1 ${status} ${statusTexts[status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
