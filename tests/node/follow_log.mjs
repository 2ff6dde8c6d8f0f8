// An independent reader of one log, written from the C2SP texts (tlog-tiles, tlog-checkpoint, signed-note) alone.
// node follow_log.mjs --url URL --log keys|evidence --card FILE
// Fetches checkpoint, entry bundles and tiles over plain HTTP GET, rebuilds the tree and compares every tile and the root.
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { request } from "node:https";

const options = {};
for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].slice(2)] = process.argv[i + 1];
const card = readFileSync(options.card, "utf8");
const origin = card.match(/^origin\s*=\s*"([^"]+)"/m)[1];
const ca = card.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/)?.[0].replaceAll("\\n", "\n");
const name = `${origin}/${options.log}`;
const vkey = card.match(new RegExp(`${name.replaceAll(".", "\\.")}\\+([0-9a-f]{8})\\+([A-Za-z0-9+/=]+)`));
const keyBytes = Buffer.from(vkey[2], "base64");

const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash("sha256")).digest();
const check = (ok, what) => {
  if (!ok) throw new Error(what);
};

function get(path) {
  return new Promise((resolve, reject) => {
    const url = new URL(`/log/${options.log}/${path}`, options.url);
    request(url, { ca, servername: origin, agent: false }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () =>
        answer.statusCode === 200
          ? resolve(Buffer.concat(chunks))
          : reject(new Error(`${path}: HTTP ${answer.statusCode}`)),
      );
    })
      .on("error", reject)
      .end();
  });
}

// signed-note: text, empty line, then "— name base64(key id || signature)".
check(keyBytes[0] === 1, "key type is Ed25519");
const keyId = sha256(Buffer.from(`${name}\n`), keyBytes).subarray(0, 4);
check(keyId.toString("hex") === vkey[1], "key id of the vkey");
const note = (await get("checkpoint")).toString("utf8");
const split = note.indexOf("\n\n");
const text = note.slice(0, split + 1);
const line = note.slice(split + 2).split("\n").find((l) => l.startsWith(`\u2014 ${name} `));
const signature = Buffer.from(line.slice(`\u2014 ${name} `.length), "base64");
check(signature.subarray(0, 4).equals(keyId), "signature's key id");
const key = createPublicKey({
  key: { kty: "OKP", crv: "Ed25519", x: keyBytes.subarray(1).toString("base64url") },
  format: "jwk",
});
check(verify(null, Buffer.from(text), key, signature.subarray(4)), "checkpoint signature");
const [first, sizeText, rootText, rest] = text.split("\n");
check(first === name && /^(0|[1-9][0-9]*)$/.test(sizeText) && rest === "", "checkpoint form");
const size = Number(sizeText);

// tlog-tiles: index in groups of three digits, all but the last prefixed with x; partial tiles end in .p/W.
function place(index, width) {
  let groups = [String(index % 1000).padStart(3, "0")];
  for (index = Math.floor(index / 1000); index > 0; index = Math.floor(index / 1000))
    groups.unshift(`x${String(index % 1000).padStart(3, "0")}`);
  return groups.join("/") + (width < 256 ? `.p/${width}` : "");
}

let entries = 0;
let level = [];
for (let tile = 0; tile * 256 < size; tile++) {
  const width = Math.min(256, size - tile * 256);
  const bundle = await get(`tile/entries/${place(tile, width)}`);
  let at = 0;
  for (let i = 0; i < width; i++) {
    const length = bundle.readUInt16BE(at);
    const data = bundle.subarray(at + 2, at + 2 + length);
    check(data.length === length, "entry is whole");
    check(options.log === "keys" ? [1, 2].includes(data[0]) && length === 69 : data[0] === 16 && length === 33, "leaf form");
    level.push(sha256(Buffer.from([0]), data));
    at += 2 + length;
    entries++;
  }
  check(at === bundle.length, "nothing follows the last entry");
}

const node = (l, r) => sha256(Buffer.from([1]), l, r);
// The root of 2^k or fewer hashes, RFC 6962.
function root(hashes) {
  if (hashes.length === 0) return sha256();
  if (hashes.length === 1) return hashes[0];
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return node(root(hashes.slice(0, k)), root(hashes.slice(k)));
}
check(root(level).toString("base64") === rootText, "root of the checkpoint");

let tiles = 0;
for (let l = 0; level.length > 0; l++) {
  const next = [];
  for (let tile = 0; tile * 256 < level.length; tile++) {
    const hashes = level.slice(tile * 256, tile * 256 + 256);
    check((await get(`tile/${l}/${place(tile, hashes.length)}`)).equals(Buffer.concat(hashes)), `tile ${l}/${tile}`);
    if (hashes.length === 256) next.push(root(hashes));
    tiles++;
  }
  level = next;
}
console.log(JSON.stringify({ origin: name, size, entries, tiles }));
