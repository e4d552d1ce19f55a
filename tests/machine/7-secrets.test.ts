import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { run } from '../run/command.ts';
import { converge, provisionedMachine, type Machine } from './machine.ts';

describe('The session key', () => {
  let machine: Machine;
  let key: string;

  before('provision it', async () => {
    machine = await provisionedMachine();
    key = readFileSync(`/var/lib/map-app-sandbox/${machine.name}/session-key`, 'utf8').trim();
    expect(key).to.have.length(64);
  });

  it('is in no output of a run that writes it, and in no process list meanwhile', async () => {
    await machine.must('truncate --size=0 /etc/map-app/credentials/SESSION_KEY');
    // The machine's processes are this one's children: one list shows both sides.
    const seen: string[] = [];
    const look = setInterval(() => {
      void run(['sh', '-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "']).then(({ output }) => {
        if (output.includes(key)) seen.push(output);
      });
    }, 300);
    const result = await machine.play({ arguments: ['-vvv', '--diff'] });
    clearInterval(look);
    expect(result.code).to.equal(0);
    expect(result.changed).to.include('Write the credentials of the API');
    expect(result.output.includes(key), 'the output').to.equal(false);
    expect(seen).to.deep.equal([]);
  });

  it('is in no journal, no log and no file that others may read', async () => {
    // From a file, or the search would find itself.
    const find = async (command: string) => (await machine.ssh(command)).output.trim();
    await machine.must('umask 077; cat /etc/map-app/credentials/SESSION_KEY > /root/key');
    try {
      expect(await find('journalctl --no-pager | grep --count --fixed-strings --file=/root/key')).to.equal(
        '0',
      );
      expect(
        await find('grep --recursive --files-with-matches --fixed-strings --file=/root/key /var/log'),
      ).to.equal('');
      expect(
        await find(
          'find / -xdev -type f -perm /o=r -not -path "/proc/*" -size -20M -print0 | xargs -0 grep --files-with-matches --fixed-strings --file=/root/key',
        ),
      ).to.equal('');
      expect(
        await find(
          'cat /proc/[0-9]*/environ | tr "\\0" "\\n" | grep --count --fixed-strings --file=/root/key',
        ),
      ).to.equal('0');
    } finally {
      await machine.must('rm /root/key');
    }
  });
});

describe('A sudo user instead of root', () => {
  it('provisions as well', async () => {
    const machine = await provisionedMachine();
    await machine.must('chmod 0600 /etc/map-app/map-app.env');
    expect(await converge(machine, { vars: { ansible_user: 'operator' } })).to.deep.equal([
      'Write the environment of the API',
    ]);
    expect(await converge(machine, { vars: { ansible_user: 'operator' } })).to.deep.equal([]);
  });
});
