import { expect } from 'chai';
import { passedSocket } from './systemd.ts';

describe('systemd', () => {
  it('passes a socket only to the process that it names', () => {
    const own = { LISTEN_PID: String(process.pid), LISTEN_FDS: '1' };
    expect(passedSocket(own)).to.equal(3);
    expect(passedSocket({ ...own, LISTEN_PID: String(process.ppid) })).to.equal(null);
    expect(passedSocket({ LISTEN_PID: own.LISTEN_PID })).to.equal(null);
  });
});
