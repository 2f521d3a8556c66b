import { expect, test } from "vitest";
import { snippets, withoutTime } from "./snippets";

const URL_ = "https://twin.example.com/ingest/1";

test("every snippet holds the address and the key", () => {
  for (const { text } of snippets(URL_, "tfi_secret", { temperature: 21.5 })) {
    expect(text).toContain(URL_);
    expect(text).toContain("tfi_secret");
  }
  for (const { text } of snippets(URL_, null, { x: 1 })) expect(text).toContain("YOUR_INGEST_KEY");
});

test("a quote cannot leave the shell's quotes, and Python gets Python's words", () => {
  const [curl, python] = snippets(URL_, "k", { state: "it's", on: true, none: null, list: [1, "a"] });
  expect(curl?.text).toContain(`-d '{"state":"it'\\''s","on":true,"none":null,"list":[1,"a"]}'`);
  expect(python?.text).toContain(`json.dumps({"state": "it's", "on": True, "none": None, "list": [1, "a"]})`);
});

test("an example without its time is a reading of now", () => {
  expect(withoutTime({ ts: "2026-11-20T12:00:00Z", device: "d", x: 1 })).toEqual({ x: 1 });
  expect(withoutTime({ ts: 1, values: { a: 1, b: 2 } })).toEqual({ a: 1, b: 2 });
  expect(withoutTime({ ts: 1 })).toEqual({ temperature: 21.5 });
});
