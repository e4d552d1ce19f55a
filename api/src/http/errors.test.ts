import { expect } from 'chai';
import createError from 'http-errors';
import { badRequest, onDuplicate, refusalOf, unavailable } from './errors.ts';

const coded = (code: string, fields: object = {}) =>
  Object.assign(new Error('insert into secret_table values (1) failed'), { code, ...fields });

describe('onDuplicate', () => {
  it('converts only a unique violation', () => {
    const convert = onDuplicate('The question exists.');
    expect(() => convert(coded('23505')))
      .to.throw('The question exists.')
      .with.property('status', 409);
    const other = coded('23503');
    expect(() => convert(other))
      .to.throw()
      .that.equals(other);
  });
});

describe('refusalOf', () => {
  it('keeps the message of an error that was created for the client', () => {
    expect(refusalOf(badRequest('lat is required.'))).to.deep.equal({
      status: 400,
      message: 'lat is required.',
      unexpected: false,
    });
    expect(refusalOf(unavailable('No mail today.'))).to.deep.include({
      status: 503,
      message: 'No mail today.',
    });
  });

  const table: [string, Error, number][] = [
    ['a number out of range', coded('22003'), 400],
    ['a NUL in a text', coded('22021'), 400],
    ['a missing reference', coded('23503'), 409],
    ['a duplicate', coded('23505'), 409],
    ['a check', coded('23514'), 422],
    ['a read-only database', coded('25006'), 503],
    ['a refused role', coded('28000'), 503],
    ['a missing database', coded('3D000'), 503],
    ['a deadlock in every attempt', coded('40P01'), 503],
    ['a schema that is not migrated', coded('42P01'), 503],
    ['a full disk', coded('53100'), 503],
    ['too many connections', coded('53300'), 503],
    ['a shutdown', coded('57P01'), 503],
    ['a connection refused', coded('ECONNREFUSED', { syscall: 'connect' }), 503],
    ['a missing socket', coded('ENOENT', { syscall: 'connect' }), 503],
    ['a connection that broke', new Error('select 1 - Connection terminated unexpectedly'), 503],
    ['a syntax error in our SQL', coded('42601'), 500],
    ['a missing file of the program', coded('ENOENT', { syscall: 'open' }), 500],
    ['a bug', new TypeError('secret_table is undefined'), 500],
    ['a value that is not an Error', 'secret_table' as unknown as Error, 500],
    ['an error of a library with its own status', createError(500, 'secret_table'), 500],
  ];
  for (const [name, error, status] of table) {
    it(`returns ${status} for ${name}, and leaks nothing`, () => {
      const refusal = refusalOf(error);
      expect(refusal.status).to.equal(status);
      expect(refusal.unexpected).to.equal(status === 500);
      expect(refusal.message)
        .to.match(/^[A-Z].*\.$/)
        .and.not.include('secret_table');
    });
  }
});
