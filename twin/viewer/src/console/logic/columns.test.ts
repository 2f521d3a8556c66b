import { expect, test } from "vitest";
import { inWords, mediaOf } from "./columns";

test("a file's type is that of its ending", () => {
  expect(mediaOf("Export.CSV")).toBe("text/csv");
  expect(mediaOf("a.b.xlsx")).toContain("spreadsheetml");
  expect([mediaOf("old.xls"), mediaOf("notes")]).toEqual([null, null]);
});

test("columns in words", () => {
  expect(inWords({ name: "t", role: "time", format: "day.month.year" })).toBe("time of the reading (day.month.year)");
  expect(inWords({ name: "x", role: "key", kind: "number" })).toBe("numbers");
  expect(inWords({ name: "", role: "left out" })).toBe("left out");
});
