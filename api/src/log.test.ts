import { expect } from 'chai';
import { causeOf } from './log.ts';

describe('causeOf', () => {
  it("keeps an error's message, code and stack, and nothing else", () => {
    const error = Object.assign(new Error('duplicate key'), {
      code: '23505',
      detail: 'Key (email)=(ann@example.org) already exists.',
      query: 'insert into staff',
    });
    expect(causeOf(error)).to.deep.equal({ cause: 'duplicate key', code: '23505', stack: error.stack });
  });

  it('accepts values that are not errors', () => {
    expect(causeOf('no')).to.deep.equal({ cause: 'no' });
    expect(causeOf(undefined)).to.deep.equal({ cause: 'undefined' });
  });
});
