// Rules of COCO annotation files as masks.
import { describe, expect, it } from "vitest";
import { cocoMask, parseCoco } from "./coco.ts";
import { FormatError } from "./errors.ts";
import { fixtureBytes } from "./testing/files.ts";

const categories = [
  { id: 1, name: "stone" },
  { id: 3, name: "clod" },
];
const images = [{ id: 7, file_name: "a.npy", width: 4, height: 3 }];
const fileOf = (annotations: unknown[], more: object = {}) =>
  JSON.stringify({ images, categories, annotations, ...more });
const annotation = (segmentation: unknown, category_id = 1) => ({ id: 1, image_id: 7, category_id, segmentation });

function maskOf(annotations: unknown[]): number[][] {
  const file = parseCoco(fileOf(annotations), "a.json");
  const { data } = cocoMask(file, file.images[0]!, 3, 4);
  return [0, 1, 2].map((line) => [...data.subarray(4 * line, 4 * line + 4)]);
}

describe("a COCO mask", () => {
  it("is zero where nothing is annotated", () => {
    expect(maskOf([])).toEqual([
      [0, 0, 0, 0],
      [0, 0, 0, 0],
      [0, 0, 0, 0],
    ]);
  });

  it("has the category of the polygon that holds the pixel's centre", () => {
    expect(maskOf([annotation([[1, 0, 3.4, 0, 3.4, 2, 1, 2]], 3)])).toEqual([
      [0, 3, 3, 0],
      [0, 3, 3, 0],
      [0, 0, 0, 0],
    ]);
  });

  it("joins the polygons of one annotation and clips what lies outside", () => {
    const corners = [
      [-5, -5, 1, -5, 1, 1, -5, 1],
      [3, 2, 90, 2, 90, 90, 3, 90],
    ];
    expect(maskOf([annotation(corners)])).toEqual([
      [1, 0, 0, 0],
      [0, 0, 0, 0],
      [0, 0, 0, 1],
    ]);
  });

  it("counts run lengths down the columns, from outside", () => {
    expect(maskOf([annotation({ size: [3, 4], counts: [1, 3, 8] })])).toEqual([
      [0, 1, 0, 0],
      [1, 0, 0, 0],
      [1, 0, 0, 0],
    ]);
  });

  it("unpacks run lengths as the reference library packs them", () => {
    const { counts, rows } = JSON.parse(new TextDecoder().decode(fixtureBytes("packed_runs.json"))) as {
      counts: string;
      rows: string[];
    };
    const width = rows[0]!.length;
    const text = JSON.stringify({
      images: [{ id: 7, file_name: "a", width, height: rows.length }],
      categories,
      annotations: [annotation({ size: [rows.length, width], counts })],
    });
    const file = parseCoco(text, "a.json");
    const { data } = cocoMask(file, file.images[0]!, rows.length, width);
    expect(rows.map((_, line) => data.subarray(line * width, (line + 1) * width).join(""))).toEqual(rows);
  });

  const polygons = JSON.parse(new TextDecoder().decode(fixtureBytes("polygons.json"))) as {
    polygon: number[];
    rows: string[];
  }[];
  it.each(polygons)("fills $polygon pixel for pixel as the reference library does", ({ polygon, rows }) => {
    const text = JSON.stringify({
      images: [{ id: 7, file_name: "a", width: 16, height: 16 }],
      categories,
      annotations: [annotation([polygon])],
    });
    const file = parseCoco(text, "a.json");
    const { data } = cocoMask(file, file.images[0]!, 16, 16);
    expect(rows.map((_, line) => data.subarray(16 * line, 16 * line + 16).join(""))).toEqual(rows);
  });

  it("has the later annotation where two overlap", () => {
    const all = { size: [3, 4], counts: [0, 12] };
    expect(maskOf([annotation(all, 1), annotation([[0, 0, 1, 0, 1, 1, 0, 1]], 3)])[0]).toEqual([3, 1, 1, 1]);
  });

  it("must have the size of the cube", () => {
    const file = parseCoco(fileOf([]), "a.json");
    expect(() => cocoMask(file, file.images[0]!, 4, 3)).toThrow(
      "a.json: image 'a.npy' has 3 x 4 pixels, and the cube has 4 x 3",
    );
  });

  it.each<[string, string, RegExp]>([
    ["that is no JSON", "{", /is no JSON/],
    ["whose top is a list", "[]", /its top is no object/],
    ["without images", JSON.stringify({ categories, annotations: [] }), /no list of objects under 'images'/],
    ["without categories", JSON.stringify({ images, annotations: [] }), /under 'categories'/],
    ["without annotations", JSON.stringify({ images, categories }), /under 'annotations'/],
    ["with an image without size", fileOf([], { images: [{ id: 1 }] }), /images\[0\] needs integers/],
    ["with a category without name", fileOf([], { categories: [{ id: 1 }] }), /categories\[0\] needs/],
    ["with an annotation of no image", fileOf([{ ...annotation([]), image_id: 8 }]), /annotations\[0\] has image_id 8/],
    ["with an annotation of no category", fileOf([annotation([], 2)]), /annotations\[0\] has category_id 2/],
    [
      "with a polygon of two points",
      fileOf([annotation([[0, 0, 1, 1]])]),
      /polygon 0 that is no list of three or more pairs/,
    ],
    ["with a polygon beyond all images", fileOf([annotation([[0, 0, 1e300, 1, 2, 2]])]), /polygon 0/],
    ["with a polygon of texts", fileOf([annotation([["a", 0, 1, 1, 2, 2]])]), /polygon 0/],
    ["without a segmentation", fileOf([annotation(undefined)]), /has no segmentation/],
    ["with run lengths without a size", fileOf([annotation({ counts: [12] })]), /without size/],
    [
      "with runs of another total",
      fileOf([annotation({ size: [3, 4], counts: [5] })]),
      /runs of 5 pixels for an image of 3 x 4/,
    ],
    ["with runs that are no numbers", fileOf([annotation({ size: [3, 4], counts: [-1, 13] })]), /neither integers/],
    ["with broken packed runs", fileOf([annotation({ size: [3, 4], counts: "\u0001" })]), /neither integers/],
    [
      "with packed runs that never end",
      fileOf([annotation({ size: [3, 4], counts: "oooooooooooo" })]),
      /neither integers/,
    ],
  ])("a file %s is refused", (_, text, message) => {
    expect(() => parseCoco(text, "a.json")).toThrow(FormatError);
    expect(() => parseCoco(text, "a.json")).toThrow(message);
  });

  it("refuses run lengths of another size than the image's, even where their total agrees", () => {
    const file = parseCoco(fileOf([annotation({ size: [4, 3], counts: [12] })]), "a.json");
    expect(() => cocoMask(file, file.images[0]!, 3, 4)).toThrow("annotation 1 has run lengths of 4 x 3, not 3 x 4");
  });
});
