/**
 * The tables as the driver returns them: bigint as number, timestamptz as Date. Columns that the database fills may be
 * omitted.
 */

type Generated<Row, Columns extends keyof Row> = {
  base: Row;
  insert: Omit<Row, Columns> & Partial<Pick<Row, Columns>>;
  update: Partial<Row>;
};

export type PinRow = {
  id: number;
  latitude: number;
  longitude: number;
  country: string;
  state: string | null;
  city: string | null;
  visited_at: Date;
};

export type PinCorrectionRow = { pin_id: number };

export type PinTallyRow = { country: string; state: string | null; city: string | null; total: number };

export type PictureRow = { id: number; sha256: string; media_type: string; bytes: Uint8Array };

export type PictureSizeRow = { picture_id: number; width: number; media_type: string; bytes: Uint8Array };

export type AnimalRow = {
  id: number;
  latitude: number;
  longitude: number;
  name: string;
  location_name: string;
  placement_year: number | null;
  type: string;
  notes: string;
  picture_id: number | null;
};

export type CityPictureRow = { city: string; picture_id: number | null; looked_up_at: Date };

export type QuestionRow = { id: number; text: string; active: boolean };

export type OptionRow = { id: number; question_id: number; text: string; active: boolean };

export type VisitorResponseRow = { id: number; option_id: number; answered_at: Date };

export type DonationVisitRow = { id: number; visited_at: Date };

export type IdempotencyRow = {
  key: Uint8Array;
  request: Uint8Array;
  answer: string | null;
  expires_at: Date;
};

/** Rows that change together. Rows of `pins` change all day, the others rarely. */
export type Collection = 'pins' | 'animals' | 'survey' | 'totals';

export type CountRow = { name: string; total: number };

export type StaffRow = { email: string; added_at: Date };

export type SessionRow = { id: string; email: string; expires_at: Date };

type Composite<Table extends { base: object; insert: object; update: object }> =
  import('knex').Knex.CompositeTableType<Table['base'], Table['insert'], Table['update']>;

declare module 'knex/types/tables.js' {
  interface Tables {
    pin: Composite<Generated<PinRow, 'id' | 'visited_at'>>;
    pin_correction: PinCorrectionRow;
    pin_tally: PinTallyRow;
    picture: Composite<Generated<PictureRow, 'id'>>;
    picture_size: PictureSizeRow;
    animal: Composite<Generated<AnimalRow, 'id' | 'type' | 'notes' | 'picture_id'>>;
    city_picture: CityPictureRow;
    revision: { collection: string; number: number };
    question: Composite<Generated<QuestionRow, 'id' | 'active'>>;
    option: Composite<Generated<OptionRow, 'id' | 'active'>>;
    visitor_response: Composite<Generated<VisitorResponseRow, 'id' | 'answered_at'>>;
    donation_visit: Composite<Generated<DonationVisitRow, 'id' | 'visited_at'>>;
    idempotency: IdempotencyRow;
    count: CountRow;
    staff: Composite<Generated<StaffRow, 'added_at'>>;
    session: Composite<Generated<SessionRow, 'id'>>;
    schema_migration: Composite<Generated<{ name: string; applied_at: Date }, 'applied_at'>>;
  }
}
