/** A kind of file that is often sent instead of a text file, recognized by its first bytes. */
type Kind = { is: (head: Buffer) => boolean; sentence: string };

const fromExcel = 'in Excel, choose "Save As", the type "CSV UTF-8", and import that file';
const fromLibreOffice =
  'in LibreOffice, choose "Save As", the type "Text CSV" and the character set "Unicode (UTF-8)", and import that file';
const fromNumbers =
  'in Numbers, choose "Export To", "CSV" and the text encoding "Unicode (UTF-8)", and import that file';
const fromAny = 'open it in a spreadsheet program, save it as "CSV UTF-8", and import that file';

const kinds: Kind[] = [
  { is: zipWith('xl/'), sentence: `this is an Excel workbook (.xlsx); ${fromExcel}` },
  {
    is: zipWith('opendocument.spreadsheet'),
    sentence: `this is a LibreOffice spreadsheet (.ods); ${fromLibreOffice}`,
  },
  { is: zipWith('.iwa'), sentence: `this is a Numbers spreadsheet (.numbers); ${fromNumbers}` },
  {
    is: zipWith('word/'),
    sentence: `this is a Word document (.docx); in Word, choose "Save As", the type "Plain Text" and the encoding "Unicode (UTF-8)", and import that file`,
  },
  {
    is: zipWith('opendocument.text'),
    sentence: `this is a LibreOffice document (.odt); in LibreOffice, choose "Save As" and the type "Text" (.txt), and import that file`,
  },
  { is: begins('PK'), sentence: 'this is a zip archive; unpack it and import the file in it' },
  {
    is: begins('\xD0\xCF\x11\xE0'),
    sentence: `this is a workbook of Excel 97 to 2003 (.xls) or another old Office document; ${fromExcel}`,
  },
  {
    is: begins('\x1F\x8B'),
    sentence: 'this file is compressed by gzip; unpack it with "gunzip" and import the file in it',
  },
  {
    is: begins('BZh', '\xFD7zXZ', '\x28\xB5\x2F\xFD', "7z\xBC\xAF'", 'Rar!'),
    sentence: 'this file is compressed; unpack it and import the file in it',
  },
  {
    is: begins('%PDF'),
    sentence: 'this is a PDF document; save the table from the program that made it as "CSV UTF-8"',
  },
  { is: begins('{\\rtf'), sentence: `this is a text document (.rtf); ${fromAny}` },
  { is: isXmlWith('Workbook'), sentence: `this is an Excel workbook in XML; ${fromExcel}` },
  {
    is: isXmlWith('<'),
    sentence: `this is a web page (HTML) or XML, although it may be named otherwise; ${fromAny}`,
  },
  {
    is: (head) => !hasByteOrderMark(head) && head.includes(0),
    sentence:
      'this is not a text file; save the table as "CSV UTF-8" in a spreadsheet program, and import that file',
  },
];

/** Returns what a file is and how to save it as text, based on its first bytes. Null if it may be text. */
export function kindOf(head: Buffer): string | null {
  return kinds.find(({ is }) => is(head))?.sentence ?? null;
}

function begins(...signatures: string[]): Kind['is'] {
  return (head) => signatures.some((bytes) => head.toString('latin1', 0, bytes.length) === bytes);
}

/** File names in a zip archive are not compressed. */
function zipWith(name: string): Kind['is'] {
  return (head) => begins('PK\x03\x04')(head) && head.includes(name);
}

function isXmlWith(text: string): Kind['is'] {
  return (head) => {
    const characters = head.toString('latin1').replaceAll('\0', '');
    return /^(?:\xEF\xBB\xBF|\xFF\xFE|\xFE\xFF)?\s*<[!?a-z]/i.test(characters) && characters.includes(text);
  };
}

function hasByteOrderMark(head: Buffer): boolean {
  return begins('\xFF\xFE', '\xFE\xFF')(head);
}
