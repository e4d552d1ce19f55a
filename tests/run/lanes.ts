/** Test files that run in this order on the same machines. Each lane has its own machines. */
export type Lane = { name: string; files: string[] };

/**
 * The lanes of the machine tests. They run in parallel and should take about the same time. `scripts/test machine` prints the duration of each
 * lane and of the slowest tests. Move a file to a shorter lane if the durations differ too much.
 */
const lanes: Lane[] = [
  {
    // All tests that measure latency or downtime, and few others, so that they do not run in parallel.
    name: 'timed',
    files: [
      '2-requests',
      '4-service',
      '5-faults',
      '5-kills',
      '5-slow-clients',
      '5-maintenance',
      '6-load',
      '8-reboot',
      '9-bench',
      '6-deploys',
      // These measure nothing. They balance the durations of the lanes.
      '7-journey',
      '9-systems',
    ],
  },
  {
    name: 'settings',
    files: [
      '1-fresh',
      '3-drift',
      '4-metrics-retention',
      '4-sandboxing',
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
    // 7-secrets is last, because it replaces that machine with one that has other secrets.
    files: ['0-vault', '0-bad-input', '7-backup', '7-certificates', '7-secrets'],
  },
];

/** The lane of files that are not in the table. */
const defaultLane = lanes[1]!;

/**
 * Assigns test files to lanes.
 * @param files paths of test files
 * @returns the lanes that have files, each with its paths in order; files that are not in the table are last in the default lane
 */
export function assignLanes(files: string[]): Lane[] {
  const place = (file: string) => {
    const name = file.replace(/^.*\/|\.test\.ts$/g, '');
    const lane = lanes.find((candidate) => candidate.files.includes(name)) ?? defaultLane;
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
