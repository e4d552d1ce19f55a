/**
 * Returns the English names of first-level regions as visitors use them, derived from GeoNames' names. Words that only
 * state the kind of region are removed ("Tarija Department", "Municipality of Piran"), unless the remainder is not a
 * name ("Western Province") or is the name of another region in the country ("Moscow Oblast").
 */
export function regionNames(listed: { code: string; name: string }[]): Map<string, string> {
  const taken = new Map<string, number>();
  const keyOf = (code: string, name: string) => `${code.slice(0, 2)} ${bare(name)}`;
  for (const { code, name } of listed) {
    const key = keyOf(code, name);
    taken.set(key, (taken.get(key) ?? 0) + 1);
  }
  return new Map(
    listed.map(({ code, name }) => {
      const short = shortened(name);
      const isClear = taken.get(keyOf(code, name)) === 1 && !genericName.test(short);
      return [code, corrections[code] ?? (isClear ? short : name)];
    }),
  );
}

const kindBefore = /^(?:Urban )?Municipality of |^(?:Opština|County of|Raionul|State of) /;
const kindAfter =
  / (?:Province|Department|Region|Governorate|County|Parish|Municipality|Oblast|Oblisi|Atoll|Atholhu|District|Division|Rajons|novads|Comarca|Regional Corporation)$/i;
const cityWords = / City$| D\.C\.$|^City of /;
const genericName =
  /^(?:(?:North|South|East|West|Central|Upper|Lower|Middle|Capital|Northern|Southern|Eastern|Western|Northeastern|Southeastern|National|Metropolitan|Islands?|and)\b[- ]?)+$/i;

function shortened(name: string): string {
  return name.replace(kindBefore, '').replace(kindAfter, '');
}

/** Returns the same key for names that differ only in the kind of region. */
function bare(name: string): string {
  return shortened(name).replace(cityWords, '').toLowerCase();
}

/** Names that the rules cannot correct: abbreviated, outdated, or not English. */
const corrections: Record<string, string> = {
  'AR.07': 'Buenos Aires City',
  'BY.02': 'Gomel',
  'BY.03': 'Grodno',
  'CO.34': 'Bogotá',
  'CZ.78': 'South Moravia',
  'CZ.81': 'Karlovy Vary',
  'DE.08': 'Rhineland-Palatinate',
  'DE.01': 'Baden-Württemberg',
  'ES.54': 'Castile-La Mancha',
  'ES.55': 'Castile and León',
  'FR.75': 'Nouvelle-Aquitaine',
  'IT.02': 'Basilicata',
  'IT.10': 'Marche',
  'KR.01': 'Jeju',
  'KR.22': 'Sejong',
  'MX.15': 'State of Mexico',
  'RU.42': 'Leningrad Oblast',
  'RU.66': 'Saint Petersburg',
  'PE.15': 'Lima',
  'PE.LMA': 'Lima',
  'QA.01': 'Doha',
  'QA.06': 'Al Rayyan',
  'TW.01': 'Fujian',
  'TW.02': 'Kaohsiung',
  'VE.25': 'Capital District',
  'VN.79': 'Ho Chi Minh City',
};
