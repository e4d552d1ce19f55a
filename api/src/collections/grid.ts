import type { Knex } from 'knex';
import { badRequest } from '../http/errors.ts';
import { range, type Box } from './bbox.ts';

/**
 * The cells are the tiles of web maps (WebMercatorQuad in OGC 17-083r4, Two Dimensional Tile Matrix Set). At a zoom
 * level the world has 2^zoom columns, starting at 180° west, and as many rows, starting in the north: column x begins
 * at the longitude 360 x / 2^zoom - 180, row y at the latitude atan(sinh(π (1 - 2 y / 2^zoom))). The first and the last
 * row include everything beyond their edges at 85.05°.
 */
export const finest = 12;

/** The first and last columns and rows. Across the date line `west` is greater than `east`. */
export type Cells = { zoom: number; west: number; east: number; north: number; south: number };

export type Cell = { x: number; y: number; count: number };

const mostCells = 4_096;
const world: Box = { west: -180, south: -90, east: 180, north: 90 };

const meridian = (zoom: number, x: number) => (360 * x) / 2 ** zoom - 180;
const parallel = (zoom: number, y: number) =>
  degrees(Math.atan(Math.sinh(Math.PI * (1 - (2 * y) / 2 ** zoom))));

/** Returns the cells that a box touches. Throws 400 if there are too many. */
export function cellsOf(zoom: number, box: Box = world): Cells {
  const cells = {
    zoom,
    west: columnOf(zoom, box.west),
    east: columnOf(zoom, box.east),
    north: rowOf(zoom, box.north),
    south: rowOf(zoom, box.south),
  };
  // The box goes around the world and ends in the column where it begins.
  if (box.west > box.east && cells.west <= cells.east) [cells.west, cells.east] = [0, 2 ** zoom - 1];
  if (columnsOf(cells).length * rowsOf(cells).length <= mostCells) return cells;
  throw badRequest(
    `The bbox has more than ${mostCells} cells at this zoom: use a smaller bbox, or a lower zoom (up to 6 for the whole world).`,
  );
}

/**
 * Counts the pins in each cell, ordered by column and from south to north. Omits empty cells. A pin on an edge belongs
 * to the cell east or north of it.
 */
export async function countPins(db: Knex, cells: Cells): Promise<Cell[]> {
  const { zoom, west, east, north, south } = cells;
  const [columns, rows] = [columnsOf(cells), rowsOf(cells)];
  const last = 2 ** zoom - 1;
  // Searching the sorted edges takes the database half the time of computing the formula.
  const { rows: counts } = await db.raw<{ rows: { column: number; row: number; count: number }[] }>(
    `select "column", "row", count(*)::int as count
     from (
       select width_bucket(longitude, (:meridians)::float8[]) as "column",
              width_bucket(latitude, (:parallels)::float8[]) as "row"
       from pin
       where (longitude >= :west ${west > east ? 'or' : 'and'} longitude < :east)
         and latitude >= :south and latitude < :north
     ) as pin
     group by "column", "row"
     order by "column", "row"`,
    {
      meridians: `{${columns
        .slice(1)
        .map((x) => meridian(zoom, x))
        .join(',')}}`,
      parallels: `{${rows
        .slice(1)
        .map((y) => parallel(zoom, y + 1))
        .join(',')}}`,
      west: meridian(zoom, west),
      east: east === last ? Infinity : meridian(zoom, east + 1),
      south: south === last ? -Infinity : parallel(zoom, south + 1),
      north: north === 0 ? Infinity : parallel(zoom, north),
    },
  );
  return counts.map(({ column, row, count }) => ({ x: columns[column]!, y: rows[row]!, count }));
}

/** The outline of a cell as GeoJSON, counterclockwise from the south-west (RFC 7946, 3.1.6). */
export function cellFeature(zoom: number, { x, y, count }: Cell) {
  const [west, east] = [meridian(zoom, x), meridian(zoom, x + 1)];
  const [north, south] = [parallel(zoom, y), parallel(zoom, y + 1)];
  const ring = [
    [west, south],
    [east, south],
    [east, north],
    [west, north],
    [west, south],
  ];
  return {
    type: 'Feature',
    id: `${zoom}/${x}/${y}`,
    geometry: { type: 'Polygon', coordinates: [ring] },
    properties: { count, zoom, x, y },
  };
}

function columnsOf({ zoom, west, east }: Cells): number[] {
  return west <= east ? range(west, east) : [...range(0, east), ...range(west, 2 ** zoom - 1)];
}

/** From south to north, in ascending order of latitudes. */
const rowsOf = ({ north, south }: Cells): number[] => range(north, south).toReversed();

const columnOf = (zoom: number, longitude: number) => within(zoom, ((longitude + 180) / 360) * 2 ** zoom);

const rowOf = (zoom: number, latitude: number) =>
  within(zoom, (1 - Math.asinh(Math.tan(radians(latitude))) / Math.PI) * 2 ** (zoom - 1));

const within = (zoom: number, place: number) => Math.min(Math.max(Math.floor(place), 0), 2 ** zoom - 1);

const degrees = (angle: number) => (angle * 180) / Math.PI;
const radians = (angle: number) => (angle * Math.PI) / 180;
