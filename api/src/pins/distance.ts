/** The position of the rescue centre, in degrees. */
const home = { latitude: 33.5729488, longitude: -117.7624671 };

const earthRadius = 6371;
const milesPerKilometre = 0.621371;

/**
 * Returns the great-circle distance from the rescue centre in statute miles, by the haversine formula on a sphere
 * (https://en.wikipedia.org/wiki/Haversine_formula).
 */
export function milesFromHome(latitude: number, longitude: number): number {
  const halfChord =
    haversine(latitude - home.latitude) +
    Math.cos(radians(home.latitude)) * Math.cos(radians(latitude)) * haversine(longitude - home.longitude);
  // For the antipode, rounding may make the sum exceed 1, the limit of the arcsine.
  return 2 * earthRadius * Math.asin(Math.sqrt(Math.min(1, halfChord))) * milesPerKilometre;
}

function haversine(degrees: number): number {
  return Math.sin(radians(degrees) / 2) ** 2;
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}
