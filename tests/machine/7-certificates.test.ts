import { connect } from 'node:tls';
import { expect } from 'chai';
import { expectNothingLost, steady, unlimited, whileLoaded } from './loaded.ts';
import {
  converge,
  domain,
  eventually,
  provisionedMachine,
  restarted,
  sandbox,
  unitStarts,
  type Machine,
} from './machine.ts';

/** The serial number and the issuer of the certificate that the machine serves. */
function served(machine: Machine): Promise<{ serial: string; issuer: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { host: machine.address, port: 443, servername: domain, rejectUnauthorized: false },
      () => {
        const { serialNumber, issuer } = socket.getPeerCertificate();
        socket.end();
        resolve({ serial: serialNumber, issuer: String(issuer.CN) });
      },
    );
    socket.on('error', reject);
  });
}

describe('Certificates by ACME, from Pebble', () => {
  let machine: Machine;
  // The sandbox's inventory knows the authority.
  const vars = { certificates_acme_enabled: true, ...unlimited };

  before('provision it, and start a certificate authority', async () => {
    machine = await provisionedMachine();
    await sandbox(machine.name, machine.suite, 'pebble');
  });

  it('serves a placeholder until then', async () => {
    expect((await served(machine)).issuer).not.to.match(/pebble/i);
  });

  it('issues a certificate in one run, which nginx serves', async () => {
    await converge(machine, { vars });
    expect((await served(machine)).issuer).to.match(/pebble/i);
  });

  it('leaves it alone in a second run', async () => {
    expect(await converge(machine, { vars })).to.deep.equal([]);
  });

  it('reloads nginx, and nothing else, when it is renewed, and loses no request', async () => {
    const before = { ...(await served(machine)), starts: await unitStarts(machine) };
    const seen = await whileLoaded(machine, steady, async () => {
      await machine.must(
        'REQUESTS_CA_BUNDLE=/etc/ssl/pebble.pem /opt/certbot/*/env/bin/certbot renew --quiet --force-renewal --no-random-sleep-on-renew',
      );
      // nginx's former processes may still take a connection for a moment.
      await eventually(5, async () => expect((await served(machine)).serial).not.to.equal(before.serial));
    });
    expectNothingLost(seen);
    expect(restarted(before.starts, await unitStarts(machine))).to.deep.equal(['nginx.service']);
  });

  it('renews by a timer', async () => {
    expect(await machine.must('systemctl is-active certificates-renew.timer')).to.equal('active');
    await machine.must('systemctl start certificates-renew.service');
  });

  it('keeps the certificate when no more are to be asked for', async () => {
    await converge(machine);
    expect((await served(machine)).issuer).to.match(/pebble/i);
  });
});
