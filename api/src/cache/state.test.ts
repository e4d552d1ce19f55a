import { expect } from 'chai';
import { tagOf } from './cache.ts';
import { stateOf } from './state.ts';

const row = {
  snapshot: '10:10:',
  run: '2026-07-01 12:00:00+00 2026-07-01 12:00:00+00',
  revisions: { animals: 1, survey: 2, totals: 3 },
};

describe('the state of a collection', () => {
  const collections = ['pins', 'animals', 'survey', 'totals'] as const;

  it('changes after a restart of PostgreSQL, which may repeat snapshots and revisions', () => {
    const before = stateOf(row);
    const after = stateOf({ ...row, run: '2026-07-02 12:00:00+00 2026-07-01 12:00:00+00' });
    for (const collection of collections) expect(after[collection]).not.to.equal(before[collection]);
    expect(stateOf(row)).to.deep.equal(before);
  });

  it('changes once its own rows may have changed', () => {
    const before = stateOf(row);
    // Also while an older transaction is open. It keeps the first number of the snapshot unchanged.
    for (const snapshot of ['11:11:', '10:11:', '10:11:10']) {
      const pins = stateOf({ ...row, snapshot });
      expect(pins).to.deep.equal({ ...before, pins: pins.pins });
      expect(pins.pins).not.to.equal(before.pins);
    }
    const survey = stateOf({ ...row, revisions: { ...row.revisions, survey: 3 } });
    expect(survey).to.deep.equal({ ...before, survey: survey.survey });
    expect(survey.survey).not.to.equal(before.survey);
    const animals = stateOf({ ...row, revisions: { ...row.revisions, animals: 2 } });
    expect(animals).to.deep.equal({ ...before, animals: animals.animals });
    expect(animals.animals).not.to.equal(before.animals);
  });
});

describe('an entity tag', () => {
  it('differs for each part', () => {
    const tag = tagOf('a', 'b', 'c');
    expect(tag).to.match(/^W\/"[\w-]{20}"$/);
    for (const other of [tagOf('x', 'b', 'c'), tagOf('a', 'x', 'c'), tagOf('a', 'b', 'x')]) {
      expect(other).not.to.equal(tag);
    }
  });
});
