// What rows' keys, values and changes and blobs' keys may be, and how text is ordered: the same on every platform, so that
// what works on one works on all. Adapters check before they store or send anything.
import type { Change, Key, Value } from "./ports.ts";

/** Largest keys, in bytes of UTF-8: DynamoDB's. */
const KEY_BYTES = { pk: 2048, sk: 1024 } as const;
/** As deep as DynamoDB nests: 32 levels, of which the attribute itself is the first. */
const LARGEST_DEPTH = 31;

/** The order of sort keys: by UTF-8 bytes, as DynamoDB and SQLite have it. Negative, 0 or positive. */
export function compareText(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The smallest text that sorts after every text that begins with `prefix`; undefined if there is none. */
export function endOfPrefix(prefix: string): string | undefined {
  const points = [...prefix].map((character) => character.codePointAt(0)!);
  while (points.length > 0) {
    const last = points.pop()!;
    if (last === 0x10ffff) continue;
    // Surrogates are no characters: after U+D7FF comes U+E000.
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
  }
  return undefined;
}

/** @throws TypeError if a part of the key is empty, too long, or not well-formed Unicode */
export function checkKey(key: Key): void {
  for (const part of ["pk", "sk"] as const) {
    const text = key[part];
    if (text === "" || !text.isWellFormed()) {
      throw new TypeError(
        `${part} of a row must be well-formed text of at least one character, found ${JSON.stringify(text)}`,
      );
    }
    const bytes = Buffer.byteLength(text);
    if (bytes > KEY_BYTES[part]) {
      throw new TypeError(`${part} of a row has ${bytes} bytes; at most ${KEY_BYTES[part]} are allowed`);
    }
  }
}

function checkValue(path: string, value: Value | undefined, depth: number): void {
  if (value === undefined) throw new TypeError(`attribute ${path} is undefined; use "unset" to remove an attribute`);
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new TypeError(`attribute ${path} is ${value}; a table holds finite numbers only`);
  }
  if (!["string", "number", "boolean", "object"].includes(typeof value)) {
    throw new TypeError(`attribute ${path} is a ${typeof value}; a table holds plain data only`);
  }
  if (typeof value !== "object" || value === null) return;
  if (depth > LARGEST_DEPTH) throw new TypeError(`attribute ${path} is nested deeper than ${LARGEST_DEPTH} levels`);
  for (const [name, inner] of Object.entries(value)) checkValue(`${path}.${name}`, inner, depth + 1);
}

function checkOnce(what: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw new TypeError(`one change names ${what} ${name} twice`);
    seen.add(name);
  }
}

/** @throws TypeError if a value cannot be stored, or if one attribute or one set is changed in two ways at once */
export function checkChange(change: Change): void {
  const { set = {}, unset = [], increment = {}, addToSet = {}, removeFromSet = {}, index = {} } = change;
  checkOnce("attribute", [...Object.keys(set), ...unset, ...Object.keys(increment)]);
  checkOnce("set", [...Object.keys(addToSet), ...Object.keys(removeFromSet)]);
  for (const [name, value] of Object.entries(set)) checkValue(name, value, 1);
  for (const [name, value] of Object.entries(increment)) checkValue(name, value, 1);
  for (const [name, members] of Object.entries({ ...addToSet, ...removeFromSet })) {
    if (members.includes("")) throw new TypeError(`set ${name} cannot have the empty text as a member`);
  }
  for (const position of Object.values(index)) if (position) checkKey(position);
}

const SEGMENT = /^[A-Za-z0-9_=-][A-Za-z0-9_=.-]{0,199}$/;

/** @throws TypeError if the key is not a path of segments of letters, digits and `_ = . -`, none beginning with a dot */
export function checkBlobKey(key: string): void {
  if (key.length <= 1000 && key.split("/").every((segment) => SEGMENT.test(segment))) return;
  throw new TypeError(
    `blob key ${JSON.stringify(key)} is not allowed: segments between "/" hold 1 to 200 of the characters ` +
      "A-Z a-z 0-9 _ = . - and do not begin with a dot; the whole key has at most 1000",
  );
}

/** @throws TypeError if no allowed key begins with the prefix */
export function checkBlobPrefix(prefix: string): void {
  // With one more character an allowed prefix becomes an allowed key.
  checkBlobKey(`${prefix}x`);
}
