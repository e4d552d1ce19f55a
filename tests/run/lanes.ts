/** Test files that run one after the other, in this order, on machines of their own. */
export type Lane = { name: string; files: string[] };

/**
 * The machine tests in lanes that run side by side and end at about the same time. `scripts/test machine` prints how
 * long each lane and the slowest tests took: move a file to a shorter lane when they drift apart.
 */
const lanes: Lane[] = [
  {
    // Measures latency and gaps, so it holds every test that does, and little else.
    name: 'timed',
    files: [
      '2-outside',
      '4-service',
      '5-faults',
      '5-kills',
      '5-slow-clients',
      '5-maintenance',
      '6-load',
      '8-reboot',
      '9-bench',
      '6-deploys',
      // These measure nothing. They are here because this lane is the shortest without them.
      '7-journey',
      '9-systems',
    ],
  },
  {
    name: 'settings',
    files: [
      '1-fresh',
      '3-drift',
      '4-beside',
      '4-fences',
      '4-firewall',
      '4-ssh',
      '4-status',
      '4-upgrades',
      '4-logs',
      '5-web',
      '5-browser',
      '5-compromise',
    ],
  },
  {
    // 7-certificates continues on the machine that 7-backup rebuilt.
    name: 'recovery',
    // 7-secrets comes after it, since it replaces that machine with one that has secrets of its own.
    files: ['0-vault', '0-bad-input', '7-backup', '7-certificates', '7-secrets'],
  },
];

/** The lane of a file that the table does not name. */
const otherwise = lanes[1]!;

/**
 * @param files paths of test files
 * @returns the lanes that have any of them, with their paths in the lane's order; files that no lane names come last in one of them
 */
export function assignLanes(files: string[]): Lane[] {
  const place = (file: string) => {
    const name = file.replace(/^.*\/|\.test\.ts$/g, '');
    const lane = lanes.find((candidate) => candidate.files.includes(name)) ?? otherwise;
    const index = lane.files.indexOf(name);
    return { file, lane, order: index < 0 ? lane.files.length : index };
  };
  const places = files.map(place).sort((a, b) => a.order - b.order);
  return lanes
    .map((lane) => ({
      name: lane.name,
      files: places.filter((entry) => entry.lane === lane).map(({ file }) => file),
    }))
    .filter((lane) => lane.files.length > 0);
}
