// Test support: byte strings that the reference descriptors of the original produced.
export const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The id by which the stock client tests a connection. */
export const CONNECTION_PROBE = "0a145f5f636f6e6e656374696f6e5f70726f62655f5f";
/** Upload "u", array 4 (row offsets), total 3, values 0, 2, 4. */
export const ROW_OFFSETS_CHUNK = "0a0175121208041803220c000000000200000004000000";
/** Upload "u", array 0 (variable names "x", "y"), total 4. */
export const NAMES_CHUNK = "0a017512081804220478007900";
/** LP settings of a stock 26.04 client with all defaults. */
export const LP_DEFAULTS =
  "092d431cebe2361a3f112d431cebe2361a3f19bbbdd7d9df7cdb3d21bbbdd7d9df7cdb3d292d431cebe2361a3f312d431cebe2361a3f392d431cebe2361a3f412d431cebe2361a3f49000000000000f07f50ffffffffffffffffff01580170048001ffffffffffffffffff01880101980101b001ffffffffffffffffff01b801ffffffffffffffffff01c001ffffffffffffffffff01c801ffffffffffffffffff01d001ffffffffffffffffff01d80101f001ffffffffffffffffff01";
/** MIP settings likewise. */
export const MIP_DEFAULTS =
  "09000000000000f07f112d431cebe2361a3f19bbbdd7d9df7cdb3d21f168e388b5f8e43e298dedb5a0f7c6b03e3111ea2d819997713d398dedb5a0f7c6b03e400150ffffffffffffffffff01580160ffffffffffffffffff01680271000000000000f07f78ffffffffffffffffff018001ffffffffffffffffff0190010a9801ffffffffffffffffff01a001ffffffffffffffffff01a801ffffffffffffffffff01b001ffffffffffffffffff01b801ffffffffffffffffff01c001ffffffffffffffffff01c901000000000000f0bfd101000000000000e03fe001ffffffffffffffffff01";
/** MIP: maximise x + 2y, one L row x + y, x integer, y continuous, scaling 1, incumbents off, no settings, no bounds. */
export const MIP_SUBMISSION =
  "124a0a04080110011240180121000000000000f03f4a10000000000000f03f000000000000f03f520200015a0200026210000000000000f03f00000000000000409201014c9a010201002000";
