/** The result of importing one file. */
export type Summary = {
  what: string;
  inFile: number;
  added: number;
  remarks: string[];
};
