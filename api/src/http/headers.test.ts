import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect } from 'chai';
import type { Request, Response } from 'express';
import { preferredForm } from './accept.ts';
import { isUnchanged } from './conditions.ts';
import { identify } from './request-id.ts';

describe('the header Accept', () => {
  const offered = { json: ['application/json'], html: ['text/html'] };

  for (const [header, form] of [
    [undefined, 'json'],
    ['text/html', 'html'],
    ['text/html;q=0.4, application/json;q=0.3', 'html'],
    ['text/html, */*;q=0.1', 'html'],
    ['text/html;q=0, */*', 'json'],
    // An invalid quality value is 0.
    ['text/html;q=high, application/json;q=0.1', 'json'],
    ['image/png', 'json'],
  ] as const) {
    it(`${header ?? '(none)'} selects ${form}`, () => {
      expect(preferredForm(header, offered)).to.equal(form);
    });
  }
});

describe('the header If-Match', () => {
  it('matches a strong tag, and never a weak one', () => {
    expect(isUnchanged({ 'if-match': '"a", "b"' }, '"b"')).to.equal(false);
    for (const [tags, tag] of [
      ['W/"b"', 'W/"b"'],
      ['W/"b"', '"b"'],
      ['"b"', 'W/"b"'],
      ['"a"', '"b"'],
    ] as const)
      expect(() => isUnchanged({ 'if-match': tags }, tag), tags).to.throw(/If-Match/);
  });
});

describe('the header X-Request-Id', () => {
  /** Returns the id of a request that came with an id. */
  const idFor = (given: string): unknown => {
    let id: unknown;
    const request = { headers: { 'x-request-id': given } } as unknown as IncomingMessage;
    const response = {
      setHeader: (_name: string, value: unknown) => (id = value),
    } as unknown as ServerResponse;
    void identify(request as Request, response as Response, () => undefined);
    return id;
  };

  it('is kept if it is 1 to 64 letters, digits, dots, hyphens or underscores', () => {
    for (const id of ['a', 'Az-0_9.', 'a'.repeat(64)]) expect(idFor(id)).to.equal(id);
    for (const id of ['', 'a'.repeat(65), 'a b', 'a\nb', 'a\n', 'ä', 'a"'])
      expect(idFor(id), id).to.match(/^[\da-f-]{36}$/);
  });
});
