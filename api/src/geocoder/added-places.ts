/**
 * A place that the gazetteer lacks: the fields of `City`, with the code of a US state or another first-level region.
 */
export type AddedPlace = readonly [
  name: string,
  country: string,
  regionCode: string,
  latitude: number,
  longitude: number,
  population: number,
];

/**
 * Places that visitors name although they have fewer than 500 inhabitants, so the gazetteer lacks them. The rescue
 * centre comes first: it is in Laguna Beach, 4 km inland, but closer to the centre of Aliso Viejo.
 */
// One place per line.
// prettier-ignore
export const addedPlaces: readonly AddedPlace[] = [
  ['Laguna Beach', 'US', 'CA', 33.57295, -117.76247, 0],
  ['Two Harbors', 'US', 'CA', 33.4402, -118.4981, 298],
  ['Yosemite Valley', 'US', 'CA', 37.7456, -119.5936, 337],
  ['Mackinac Island', 'US', 'MI', 45.8492, -84.6189, 583],
  ['Put-in-Bay', 'US', 'OH', 41.6542, -82.8205, 154],
  ['Monhegan', 'US', 'ME', 43.7652, -69.3153, 64],
  ['Bay Lake', 'US', 'FL', 28.3911, -81.5664, 4000],
  ['Adak', 'US', 'AK', 51.8800, -176.6581, 171],
  ['Roche Harbor', 'US', 'WA', 48.6087, -123.1532, 100],
  ['Alert Bay', 'CA', '02', 50.5850, -126.9300, 449],
  ['Bamfield', 'CA', '02', 48.8333, -125.1360, 182],
  ['Peggys Cove', 'CA', '07', 44.4936, -63.9164, 30],
  ['Le Mont-Saint-Michel', 'FR', '28', 48.6361, -1.5115, 30],
  ['Vila do Corvo', 'PT', '23', 39.6717, -31.1136, 384],
  ['Sandhamn', 'SE', '26', 59.2880, 18.9140, 100],
  ['Portmeirion', 'GB', 'WLS', 52.9134, -4.0989, 50],
  ['Milford Sound', 'NZ', 'F8', -44.6717, 167.9256, 114],
];

/** Sections of towns that visitors name as towns. */
export const namedSections = new Set(['US Marina del Rey', 'US La Jolla']);
