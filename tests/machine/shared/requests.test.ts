import { expect } from 'chai';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { root } from '../../run/command.ts';
import { ask, domain, provisionedMachine, psql, sandbox, type Machine } from '../machine.ts';
import { explain } from '../playbook.ts';

const json = (text: string) => JSON.parse(text) as Record<string, unknown>;

describe('A provisioned machine', () => {
  let machine: Machine;

  before('provision the machine', async () => {
    machine = await provisionedMachine();
  });

  it('is ready over https', async () => {
    const answer = await ask(machine, '/readyz');
    expect(answer.status, answer.body).to.equal(200);
    expect(json(answer.body)).to.include({ success: true });
  });

  it('supports HTTP/2, without OCSP stapling', async () => {
    const options = { host: machine.address, port: 443, servername: domain, rejectUnauthorized: false };
    const seen = await new Promise((resolve, reject) => {
      let stapled: Buffer | null = null;
      const socket = connect({ ...options, ALPNProtocols: ['h2', 'http/1.1'], requestOCSP: true }, () => {
        resolve({ protocol: socket.alpnProtocol, stapled });
        socket.destroy();
      });
      socket.on('OCSPResponse', (response: Buffer) => (stapled = response?.length ? response : null));
      socket.on('error', reject);
    });
    expect(seen).to.deep.equal({ protocol: 'h2', stapled: null });
  });

  it('redirects http to https', async () => {
    const { status, location } = await new Promise<{ status: number; location: string }>(
      (resolve, reject) => {
        get(
          `http://${machine.address}/api/locations?x=1`,
          { headers: { Host: 'map-app.test' } },
          (response) => {
            response.resume();
            resolve({ status: response.statusCode ?? 0, location: response.headers.location ?? '' });
          },
        ).on('error', reject);
      },
    );
    expect(status).to.be.oneOf([301, 308]);
    expect(location).to.equal('https://map-app.test/api/locations?x=1');
  });

  it('closes requests for unknown host names without a response', async () => {
    const fault = await ask(machine, '/', { host: 'unknown.test' }).then(
      (answer) => `status ${answer.status}`,
      (error: NodeJS.ErrnoException) => error.code,
    );
    expect(fault).to.be.oneOf(['ECONNRESET', 'EPROTO', 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME']);
  });

  it('makes the API socket accessible only to nginx', async () => {
    expect(await machine.must("stat --format='%F %U %G %a' /run/map-app/map-app.sock")).to.equal(
      'socket root www-data 660',
    );
  });

  it('has a backlog of 4096 connections, even after a worker has inherited the socket', async () => {
    const listening = await machine.must('ss --no-header --listening --unix src /run/map-app/map-app.sock');
    expect(listening.split(/\s+/)[3]).to.equal('4096');
  });

  it('starts all services at boot', async () => {
    expect(await machine.must('systemctl is-enabled nginx postgresql map-app')).to.equal(
      'enabled\nenabled\nenabled',
    );
  });

  it('returns the place name of a point, and none for a point in water', async () => {
    const place = await ask(machine, '/api/geocoder', { body: { lat: 39.74, long: -104.99 } });
    expect(json(place.body)).to.include({
      success: true,
      state: 'Colorado',
      country: 'United States of America',
    });
    const water = await ask(machine, '/api/geocoder', { body: { lat: 30, long: -40 } });
    expect(water.status).to.equal(200);
    expect(json(water.body)).to.include({ success: false, city: '', state: '', country: '' });
  });

  it('stores a pin and counts it', async () => {
    const before = json((await ask(machine, '/api/locations/counts')).body);
    const pin = await ask(machine, '/api/locations', { body: { lat: 39.74, long: -104.99 } });
    expect(pin.status, pin.body).to.equal(200);
    expect(json(pin.body)).to.include({ success: true, country: 'United States of America' });
    const after = json((await ask(machine, '/api/locations/counts')).body);
    expect(after['total_visitors']).to.equal((before['total_visitors'] as number) + 1);
    const listed = json((await ask(machine, '/api/locations/state/Colorado')).body);
    expect(listed['locations']).to.have.length.above(0);
  });

  it('returns an error for invalid input as JSON', async () => {
    const answer = await ask(machine, '/api/locations', { body: { lat: 'north', long: 0 } });
    expect(answer.status).to.equal(400);
    expect(json(answer.body)).to.include({ success: false });
  });

  it('returns the example data after an import, and a second import adds nothing', async () => {
    const rows = async () => [
      json((await ask(machine, '/api/animal_locations')).body)['animal_locations'],
      json((await ask(machine, '/api/locations/counts')).body),
    ];
    await sandbox(machine.name, machine.suite, 'import');
    const once = await rows();
    expect(once[0]).to.have.length.above(0);
    await sandbox(machine.name, machine.suite, 'import');
    expect(await rows()).to.deep.equal(once);
  });

  it("imports a spreadsheet's UTF-16 file with semicolons, and pictures whose names are written differently", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'import-'));
    try {
      // As on a Mac: the name is decomposed. The spreadsheet's is composed, in upper case and with a backslash.
      mkdirSync(`${folder}/Bilder`);
      copyFileSync(`${root}api/example/static/pebble.jpg`, `${folder}/Bilder/o\u0308tter.jpg`);
      const lines = [
        'ANIMAL_NAME;animal_type;Long;Lat;Location_name;placement_year;animal_images;animal_notes;;',
        '\u00d6tti;Harbor Seal;8,4037;49,0069;Zoo in Karlsruhe;2021;Bilder\\\u00d6TTER.JPG;;;',
        ';;;;;;;;;',
      ];
      writeFileSync(`${folder}/animals.csv`, `\ufeff${lines.join('\r\n')}\r\n`, 'utf16le');
      const result = await machine.play({
        playbook: 'playbooks/import.yml',
        vars: { animals: `${folder}/animals.csv` },
      });
      expect(result.code, explain(result)).to.equal(0);
      const listed = json((await ask(machine, '/api/animal_locations')).body)['animal_locations'];
      const added = (listed as Record<string, unknown>[]).find(
        (animal) => animal['animal_name'] === '\u00d6tti',
      );
      expect(added).to.deep.include({
        coordinates: { latitude: 49.0069, longitude: 8.4037 },
        placement_year: 2021,
      });
      expect(added!['animal_images']).to.match(/^\/9j\//);
    } finally {
      await psql(machine, "delete from animal where location_name = 'Zoo in Karlsruhe'");
      rmSync(folder, { recursive: true });
    }
  });

  it('returns the counts', async () => {
    expect(json((await ask(machine, '/admin/count')).body)['counts']).to.deep.include({
      name: 'num_rescues',
      total: 0,
    });
  });
});
