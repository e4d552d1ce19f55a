import { run } from '../run/command.ts';

const program = `
import re, sys
from ansible.parsing.vault import VaultLib, VaultSecret
file, password, name = sys.argv[1:]
text = re.search(rf'^{name}: !vault \\|\\n((?: .*\\n?)*)', open(file).read(), re.MULTILINE)[1].replace(' ', '')
print(VaultLib([('default', VaultSecret(open(password, 'rb').read().strip()))]).decrypt(text).decode())
`;

/** Returns the decrypted value of a secret in a vault, trimmed. */
export async function decrypted(file: string, passwordFile: string, name: string): Promise<string> {
  const { code, output } = await run(['python', '-c', program, file, passwordFile, name]);
  if (code !== 0) throw new Error(`${name} cannot be read in ${file}:\n${output}`);
  return output.trim();
}
