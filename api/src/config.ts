/** What is wrong with the configuration: each sentence names its variable and never holds its value. The program exits with 2. */
export class BadConfiguration extends Error {
  constructor(sentences: string[]) {
    super(sentences.join('\n'));
  }
}
