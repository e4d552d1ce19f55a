import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { BadConfiguration } from '../config.ts';
import { mountSmallDisk } from '../testing/small-disk.ts';
import { DiskFull } from './disk.ts';
import { openEmbedded } from './embedded.ts';

describe('the data folder of the embedded database', function () {
  this.timeout(60_000);
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'map-app-data-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const complaint = async (place: string, reserve = 1): Promise<string> => {
    const error: unknown = await openEmbedded({ folder: place, reserve }).then(
      ({ close }) => close(),
      (failure: unknown) => failure,
    );
    expect(error).to.be.instanceOf(BadConfiguration);
    const { message } = error as Error;
    expect(message).to.match(/^The data folder [^\n]+\.$/);
    return message;
  };

  it('cannot be a file, or in a file', async () => {
    writeFileSync(join(folder, 'file'), 'kept');
    for (const place of ['file', 'file/folder'])
      expect(await complaint(join(folder, place))).to.match(/is a file\. Set DATA_DIR/);
  });

  it('cannot be a folder that this user may not write to', async () => {
    mkdirSync(join(folder, 'locked'), { mode: 0o555 });
    const cannot = /because this user may not write there\. .*DATA_DIR/;
    // Root may write there.
    if (process.getuid?.() !== 0) expect(await complaint(join(folder, 'locked'))).to.match(cannot);
    // The same for a lock file of another user.
    mkdirSync(join(folder, 'lock'));
    expect(await complaint(folder)).to.match(cannot);
  });

  it('cannot be where no folder can be created', async () => {
    expect(await complaint('/proc/map-app')).to.match(
      /because no folder can be created there\. Set DATA_DIR/,
    );
    symlinkSync(join(folder, 'nowhere'), join(folder, 'link'));
    expect(await complaint(join(folder, 'link'))).to.match(/because no folder can be created there\. /);
  });

  it('is not opened on a disk that is almost full', async () => {
    const error: unknown = await openEmbedded({ folder, reserve: 9_999_999 }).catch(
      (failure: unknown) => failure,
    );
    expect(error).to.be.instanceOf(DiskFull);
  });

  it('is not opened if another version of PostgreSQL wrote it', async () => {
    mkdirSync(join(folder, 'postgresql'));
    writeFileSync(join(folder, 'postgresql/PG_VERSION'), '15\n');
    expect(await complaint(folder)).to.match(
      /was written by PostgreSQL 15, but .* contains PostgreSQL 18\. /,
    );
  });

  it('is not opened if its files are damaged, and keeps them @slow', async () => {
    mkdirSync(join(folder, 'postgresql'));
    writeFileSync(join(folder, 'postgresql/PG_VERSION'), '18\n');
    expect(await complaint(folder)).to.match(/damaged or incomplete \(.+\)\. Restore a copy/);
    expect(existsSync(join(folder, 'postgresql/PG_VERSION'))).to.equal(true);
  });

  it('is created again after an interrupted first start, and never after that @slow', async () => {
    mkdirSync(join(folder, 'postgresql'));
    writeFileSync(join(folder, 'postgresql/PG_VERSION'), '18\n');
    writeFileSync(join(folder, 'unfinished'), '');
    const first = await openEmbedded({ folder, reserve: 1 });
    await first.db.raw('create table kept ()');
    await first.close();
    const second = await openEmbedded({ folder, reserve: 1 });
    expect(await second.db('kept')).to.deep.equal([]);
    await second.close();
  });

  it('cannot be on a read-only or full disk; the next start succeeds @slow', async function () {
    const disk = mountSmallDisk(folder, 20);
    if (!disk) {
      this.skip();
      return;
    }
    try {
      const data = join(folder, 'data');
      disk.remount('ro');
      expect(await complaint(data)).to.match(/its disk is read-only\. Set DATA_DIR/);
      disk.remount('rw');
      expect(await complaint(data)).to.match(/its disk is full\. Free some space/);
      disk.remount('size=200m');
      await (await openEmbedded({ folder: data, reserve: 1 })).close();
    } finally {
      disk.unmount();
    }
  });
});
