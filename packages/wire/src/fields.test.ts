// Rules of the tag scanner.
import { describe, expect, it } from "vitest";
import { WireFormatError } from "./errors.ts";
import { FieldScanner, forEachField } from "./fields.ts";
import { hex } from "./testing/golden.ts";

function scan(bytes: Uint8Array): [number, number, string][] {
  const found: [number, number, string][] = [];
  forEachField(bytes, "Message", (field) => {
    found.push([field.number, field.wireType, Array.from(field.view()).join(" ")]);
  });
  return found;
}

function faultOf(text: string): WireFormatError {
  try {
    scan(hex(text));
  } catch (error) {
    expect(error).toBeInstanceOf(WireFormatError);
    return error as WireFormatError;
  }
  throw new Error(`${text} was accepted`);
}

describe("the tag scanner", () => {
  it("gives number, wire type and value of every field, in order", () => {
    expect(scan(hex("0896011207746573696e67211d01020304210102030405060708"))).toEqual([
      [1, 0, "150 1"],
      [2, 2, "116 101 115 105 110 103 33"],
      [3, 5, "1 2 3 4"],
      [4, 1, "1 2 3 4 5 6 7 8"],
    ]);
  });

  it("reads the largest field number", () => {
    expect(scan(hex("f8ffffff0f01"))).toEqual([[536870911, 0, "1"]]);
  });

  it("passes over groups, nested ones too", () => {
    // Group 1 { group 2 { field 3 = 1 } field 4 = 2 }, then field 5 = 3.
    expect(scan(hex("0b1318011420020c2803"))).toEqual([[5, 0, "3"]]);
  });

  it.each([
    ["a tag that is cut off", "80", /tag is cut off/, 0],
    ["a tag of more than 32 bits", "0801ffffffffff7f", /longer than 32 bits/, 2],
    ["field number 0", "080100", /field number 0/, 2],
    ["an unknown wire type", "0f", /wire type 7/, 0],
    ["a varint that is cut off", "0880", /cut off/, 1],
    ["a varint of more than 10 bytes", "08ffffffffffffffffffff01", /longer than 10 bytes/, 1],
    ["a length past the end", "0801120501", /5 bytes, 1 remain/, 2],
    ["a length beyond any memory", "12ffffffffffffffffff01", /cut off/, 0],
    ["a 64-bit value that is cut off", "0901020304", /8 bytes, 4 remain/, 0],
    ["a 32-bit value that is cut off", "0d0102", /4 bytes, 2 remain/, 0],
    ["a group without end", "0b0801", /no end/, 0],
    ["an end of group without start", "0c", /without its start/, 0],
    ["a group ended by another number", "0b14", /ended as group 2/, 1],
    ["groups nested without bound", "0b".repeat(101), /nested deeper than 100/, 100],
  ])("refuses %s and says where", (_what, text, message, offset) => {
    const fault = faultOf(text);
    expect(fault.message).toMatch(message);
    expect(fault.path).toBe("Message");
    expect(fault.offset).toBe(offset);
  });

  it("takes an overlong length that protobuf allows", () => {
    expect(scan(hex("128180800001"))).toEqual([[2, 2, "1"]]);
  });

  it("names field and wire types when a value is read as something else", () => {
    const field = new FieldScanner(hex("0801"), "Incumbent");
    field.next();
    expect(() => field.double("objective")).toThrow("Incumbent.objective: has wire type varint, must be 64-bit");
  });

  it("refuses text that is not UTF-8, and keeps a byte order mark", () => {
    const bad = new FieldScanner(hex("0a02c328"), "Incumbent");
    bad.next();
    expect(() => bad.string("job_id")).toThrow(/Incumbent\.job_id: the text is not valid UTF-8/);
    const marked = new FieldScanner(hex("0a04efbbbf41"), "Incumbent");
    marked.next();
    expect(marked.string("job_id")).toBe("\ufeffA");
  });
});
