import { grouped, type Figure } from './figures.ts';

const columns: { title: string; of: (figure: Figure) => string }[] = [
  { title: '', of: ({ what }) => what },
  { title: 'pins', of: ({ pins }) => grouped(pins) },
  { title: 'requests/s', of: ({ sample }) => grouped(Math.round(sample.perSecond)) },
  { title: 'p99 ms', of: ({ sample }) => sample.p99?.toFixed(1) ?? '' },
  { title: 'of a file', of: ({ ofFile }) => share(ofFile) },
  { title: 'of bare Node', of: ({ ofBare }) => share(ofBare) },
  { title: 'of pgbench', of: ({ ofPgbench }) => share(ofPgbench) },
  { title: 'of a plain insert', of: ({ ofPlain }) => share(ofPlain) },
  { title: 'of pg_featureserv', of: ({ ofPeer }) => share(ofPeer) },
  { title: 'expected at least', of: ({ expected }) => expected?.text ?? '' },
  { title: '', of: ({ expected }) => (expected ? (expected.isMet ? 'ok' : 'MISSED') : '') },
];

const share = (of: number | undefined): string => of?.toFixed(2) ?? '';

/** Returns the table as text: one line per figure, with right-aligned numbers. */
export function tableOf(figures: Figure[]): string {
  const rows = [
    columns.map(({ title }) => title),
    ...figures.map((figure) => columns.map(({ of }) => of(figure))),
  ];
  const widths = columns.map((_, index) => Math.max(...rows.map((row) => row[index]!.length)));
  const cell = (text: string, index: number) =>
    index === 0 || index >= columns.length - 2 ? text.padEnd(widths[index]!) : text.padStart(widths[index]!);
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}

/** Returns one sentence for each operation that must not depend on the number of pins: how much slower it is with the most pins than with the fewest. Compares ratios to a baseline, because they are stable on a busy host. */
export function slowdowns(figures: Figure[], most = 1.3): string[] {
  const flat = [
    ['counts, 200', 'ofBare'],
    ['counts, 304', 'ofBare'],
    ['insert', 'ofPlain'],
  ] as const;
  return flat.flatMap(([what, by]) => {
    const all = figures.filter((figure) => figure.what === what).toSorted((a, b) => a.pins - b.pins);
    const [few, many] = [all[0], all.at(-1)];
    if (!few || !many || few === many) return [];
    const times = few[by]! / many[by]!;
    return [
      `${what}: ${times.toFixed(2)} times slower with ${grouped(many.pins)} pins than with ${grouped(few.pins)} ` +
        `(expected: at most ${most})${times <= most ? '' : ' MISSED'}.`,
    ];
  });
}
