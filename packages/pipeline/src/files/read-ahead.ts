// Fewer, larger reads of a source whose every read costs a round trip.
import type { ByteSource } from "../formats/source.ts";

/** The first stretch that is read ahead: what a header needs. */
const FIRST_BYTES = 1 << 16;
/** The longest one. Stretches grow while the reader goes on in order. */
const MOST_BYTES = 1 << 24;

/** The same bytes. Small reads are answered from a stretch that was read ahead; large ones go through as they are. */
export function readAhead(source: ByteSource): ByteSource {
  let start = 0;
  let bytes = new Uint8Array(0);
  let ahead = FIRST_BYTES;
  return {
    ...source,
    async readInto(target, offset) {
      if (offset + target.byteLength > source.size) {
        throw new RangeError(
          `${source.name} has ${source.size} bytes; bytes up to ${offset + target.byteLength} were asked for`,
        );
      }
      let done = 0;
      while (done < target.byteLength) {
        const at = offset + done;
        const rest = target.subarray(done);
        const known = at >= start ? bytes.subarray(at - start, at - start + rest.byteLength) : bytes.subarray(0, 0);
        if (known.byteLength > 0) {
          target.set(known, done);
          done += known.byteLength;
          continue;
        }
        // Going on where the last stretch ended: whoever reads on will read more.
        ahead = at === start + bytes.byteLength && at > 0 ? Math.min(MOST_BYTES, ahead * 4) : FIRST_BYTES;
        if (rest.byteLength >= ahead) {
          await source.readInto(rest, at);
          [start, bytes] = [at + rest.byteLength, new Uint8Array(0)];
          return;
        }
        const stretch = new Uint8Array(Math.min(ahead, source.size - at));
        await source.readInto(stretch, at);
        [start, bytes] = [at, stretch];
      }
    },
  };
}
