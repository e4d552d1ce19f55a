import type Joi from 'joi';
import { csvText, type Row } from '../csv/write.ts';
import { donationReport, pinReport, surveyReport } from './schema.ts';
import type { ReportStore } from './store.ts';

/** A table that staff can download. Both formats are produced one page at a time. */
export type Report = {
  name: string;
  summary: string;
  output: Joi.ObjectSchema;
  rows: () => AsyncIterable<Row[]>;
  csv: () => AsyncIterable<string>;
};

export function reportsFrom(store: ReportStore): Report[] {
  return [
    report({
      name: 'survey_responses',
      summary: 'All answers of visitors, with the current wording of question and option.',
      output: surveyReport,
      columns: ['question', 'option_selected', 'timestamp'],
      rows: store.survey,
    }),
    report({
      name: 'pin_responses',
      summary: 'The places and dates of all pins.',
      output: pinReport,
      columns: ['city', 'state', 'country', 'visit_date'],
      rows: store.pins,
    }),
    report({
      name: 'donation_visits',
      summary: 'All visits to the donation page.',
      output: donationReport,
      columns: ['visit_counter', 'timestamp'],
      rows: store.donations,
    }),
  ];
}

type Table<Columns extends Row> = Omit<Report, 'rows' | 'csv'> & {
  columns: readonly (keyof Columns & string)[];
  rows: () => AsyncIterable<Columns[]>;
};

function report<Columns extends Row>({ columns, ...table }: Table<Columns>): Report {
  return { ...table, csv: () => csvText(columns, table.rows()) };
}
