// What a blob may be called: the same keys as on the embedded platform, so that a store can move between the two.

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
