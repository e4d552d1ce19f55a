import { expect } from 'chai';
import { ask, converge, domain, eventually, provisionedMachine, type Machine } from '../machine.ts';
import { runStatus } from '../playbook.ts';
import { taskName } from '../task-name.ts';

const text = 'We move to a larger tank <today>: "back" at nine.';

describe('playbooks/maintenance.yml', () => {
  let machine: Machine;
  const play = (vars: Record<string, string>) =>
    machine.play({ playbook: 'playbooks/maintenance.yml', vars });
  const nginx = { arguments: ['--tags', 'nginx'] };

  before('provision the machine', async () => {
    machine = await provisionedMachine();
  });

  it('rejects a missing or unknown state, and an empty text', async () => {
    const unfit: Record<string, string>[] = [{}, { state: 'maybe' }, { state: 'on', text: ' ' }];
    for (const vars of unfit) {
      const { code, failure, changed } = await play(vars);
      expect(code).not.to.equal(0);
      expect(failure?.message).to.match(/^state is neither on nor off/);
      expect(changed).to.deep.equal([]);
    }
    expect((await ask(machine, '/api/locations/counts')).status).to.equal(200);
  });

  it('fails if site.yml has not configured maintenance mode', async () => {
    await machine.must('mv /var/lib/map-app-maintenance /root/kept-maintenance');
    try {
      const { failure, changed } = await play({ state: 'on' });
      expect(failure?.message).to.match(/has no maintenance mode yet\. Run site\.yml first/);
      expect(changed).to.deep.equal([]);
    } finally {
      await machine.must('mv /root/kept-maintenance /var/lib/map-app-maintenance');
    }
  });

  it('closes the site with the given text, as JSON for programs and as HTML for browsers', async () => {
    expect((await play({ state: 'on', text })).changed).to.deep.equal([taskName('Switch maintenance mode')]);
    const calls = [
      ask(machine, '/api/locations/counts'),
      ask(machine, '/api/locations', { body: { lat: 1, long: 2 } }),
      ask(machine, '/'),
    ];
    for (const answer of await Promise.all(calls)) {
      expect(answer.status).to.equal(503);
      expect(JSON.parse(answer.body)).to.deep.equal({ success: false, message: text });
      expect(answer.headers['retry-after']).to.equal('300');
      expect(answer.headers['content-type']).to.equal('application/json; charset=utf-8');
      expect(answer.headers['x-request-id']).to.match(/^[0-9a-f]{32}$/);
    }
    const page = await ask(machine, '/', { headers: { Accept: 'text/html,application/xhtml+xml' } });
    expect(page.status).to.equal(503);
    expect(page.headers['content-type']).to.equal('text/html; charset=utf-8');
    expect(page.headers['cache-control']).to.equal('no-store');
    expect(page.body).to.contain('We move to a larger tank &lt;today&gt;: &quot;back&quot; at nine.');
  });

  it('writes the operator and the text to the audit log', async () => {
    const line = await machine.must('tail --lines=1 /var/log/map-app-audit.jsonl');
    expect(JSON.parse(line)).to.include({ action: 'maintenance on', outcome: 'good', reason: text });
    expect((JSON.parse(line) as { who: string }).who).to.match(/^\w+@\S+$/);
  });

  it('sends CORS headers, so that pages of other sites can read the text', async () => {
    const headers = { Origin: `https://${domain}` };
    const preflight = await ask(machine, '/api/locations', {
      method: 'OPTIONS',
      headers: { ...headers, 'Access-Control-Request-Method': 'POST' },
    });
    expect(preflight.status).to.equal(204);
    const answer = await ask(machine, '/api/locations', { headers });
    expect(answer.status).to.equal(503);
    expect(answer.headers['access-control-allow-origin']).to.equal(
      preflight.headers['access-control-allow-origin'],
    );
  });

  it('does not affect /healthz and /readyz', async () => {
    for (const path of ['/healthz', '/readyz']) expect((await ask(machine, path)).status, path).to.equal(200);
  });

  it('changes nothing when it runs again, and site.yml keeps the site closed', async () => {
    expect((await play({ state: 'on', text })).changed).to.deep.equal([]);
    expect(await converge(machine, nginx)).to.deep.equal([]);
    expect((await ask(machine, '/api/locations/counts')).status).to.equal(503);
  });

  it('makes playbooks/status.yml report a problem', async () => {
    const { code, output } = await runStatus(machine.name);
    expect(code).to.equal(2);
    expect(output).to.match(/^  site +closed for maintenance since 20/m);
    expect(output).to.match(/PROBLEM +The site is closed for maintenance: .* -e state=off opens it/);
  });

  it('admits the addresses in nginx_maintenance_addresses', async () => {
    const [here] = (await machine.must('echo "$SSH_CONNECTION"')).split(' ');
    const answers = async (addresses: string[], status: number) => {
      await converge(machine, { ...nginx, vars: { nginx_maintenance_addresses: addresses } });
      await eventually(30, async () =>
        expect((await ask(machine, '/api/locations/counts')).status).to.equal(status),
      );
    };
    await answers(['192.0.2.0/24', '2001:db8::/32'], 503);
    await answers([`${here}/32`], 200);
  });

  it('opens the site again', async () => {
    await converge(machine, nginx);
    await eventually(30, async () =>
      expect((await ask(machine, '/api/locations/counts')).status).to.equal(503),
    );
    expect((await play({ state: 'off' })).changed).to.deep.equal([taskName('Switch maintenance mode')]);
    expect((await ask(machine, '/api/locations/counts')).status).to.equal(200);
    expect((await play({ state: 'off' })).changed).to.deep.equal([]);
    const notes = await machine.must('tail --lines=2 /var/log/map-app-audit.jsonl');
    expect(notes, 'only changes are in the audit log').to.match(
      /"maintenance on"[^]*\n[^]*"maintenance off"/,
    );
  });
});
