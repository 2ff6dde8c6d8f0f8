// Opens an age file with another implementation: node open.mjs IDENTITY_FILE AGE_FILE; plaintext on stdout.
import { readFile } from "node:fs/promises";
import { Decrypter } from "age-encryption";

const [identityFile, ageFile] = process.argv.slice(2);
const decrypter = new Decrypter();
decrypter.addIdentity((await readFile(identityFile, "utf8")).trim());
process.stdout.write(await decrypter.decrypt(await readFile(ageFile)));
