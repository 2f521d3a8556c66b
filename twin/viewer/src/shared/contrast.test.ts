// Every text colour on every ground that it stands on, by WCAG 2's contrast: 4.5 for text, 3 for what is no text.
import { expect, test } from "vitest";
import css from "./theme.css?raw";

type Rgb = [number, number, number];
const AA = 4.5;
const AA_SHAPES = 3;
const TEXTS = ["text", "text-2", "text-3", "accent", "ok", "info", "warning", "critical"];
const GROUNDS = ["bg", "surface", "surface-2"];
const TONES = ["accent", "ok", "info", "warning", "critical"];
const GLASS = /rgb\((\d+) (\d+) (\d+) \/ (\d+)%\)/;

function tokens(selector: string): Map<string, string> {
  const [, block = ""] = css.split(`${selector} {`);
  return new Map([...block.slice(0, block.indexOf("}")).matchAll(/--([\w-]+):\s*([^;]+);/g)].map(([, name, value]) => [name!, value!.trim()]));
}

const LIGHT = tokens(":root");
const THEMES = [["light", LIGHT], ["dark", new Map([...LIGHT, ...tokens(':root[data-theme="dark"]')])]] as const;

function rgb(hex: string): Rgb {
  const value = parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

function luminance(color: Rgb): number {
  const [r, g, b] = color.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4)) as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: Rgb, b: Rgb): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

test("the measure is WCAG's", () => {
  expect(contrast(rgb("#ffffff"), rgb("#000000"))).toBeCloseTo(21);
  expect(contrast(rgb("#777777"), rgb("#ffffff"))).toBeCloseTo(4.48, 2);
});

test.each(THEMES)("text can be read: %s", (_, theme) => {
  const token = (name: string): Rgb => rgb(theme.get(name)!);
  const pairs = [
    ...TEXTS.flatMap((text) => GROUNDS.map((ground) => [text, ground])),
    ...TONES.flatMap((tone) => [[tone, `${tone}-soft`], ["text", `${tone}-soft`]]),
    ["text", "surface-3"], ["text-2", "surface-3"], ["accent-text", "accent"], ["surface", "critical"], ["surface", "warning"], ["surface", "info"],
  ] as [string, string][];
  const poor = pairs.map(([text, ground]) => ({ text, ground, ratio: contrast(token(text), token(ground)) })).filter(({ ratio }) => ratio < AA);
  expect(poor).toEqual([]);
});

test.each(THEMES)("text can be read on glass, over whatever the picture holds: %s", (_, theme) => {
  const [, r, g, b, percent] = GLASS.exec(theme.get("glass")!)!.map(Number) as [number, number, number, number, number];
  for (const behind of [0, 255]) {
    const ground = [r, g, b].map((part) => (part * percent + behind * (100 - percent)) / 100) as Rgb;
    for (const text of ["text", "text-2"]) expect(contrast(rgb(theme.get(text)!), ground), `${text} over ${behind}`).toBeGreaterThanOrEqual(AA);
  }
});

test.each(THEMES)("the ring of the focus can be seen: %s", (_, theme) => {
  for (const ground of GROUNDS) expect(contrast(rgb(theme.get("accent")!), rgb(theme.get(ground)!))).toBeGreaterThanOrEqual(AA_SHAPES);
});
