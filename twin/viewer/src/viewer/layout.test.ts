import { expect, test } from "vitest";
import { type Item, layout, leaderEnd, type Place, type Size } from "./layout";

const CARD: Size = { width: 160, height: 72 };
const PILL: Size = { width: 70, height: 22 };
const AREA = { width: 1280, height: 800, top: 48, bottom: 64 };
const NONE = new Map<string, Place>();

function item(id: string, x: number, y: number, more: Partial<Item> = {}): Item {
  return { id, x, y, distance: 10, visible: true, card: CARD, pill: PILL, rank: 0, ...more };
}

function sizes(places: Map<string, Place>): { left: number; top: number; right: number; bottom: number }[] {
  return [...places.values()]
    .filter((place) => place.form === "card" || place.form === "pill")
    .map((place) => {
      const size = place.form === "card" ? CARD : PILL;
      return { left: place.left, top: place.top, right: place.left + size.width, bottom: place.top + size.height };
    });
}

function overlaps(places: Map<string, Place>): number {
  const boxes = sizes(places);
  let found = 0;
  for (const [i, a] of boxes.entries()) {
    for (const b of boxes.slice(i + 1)) {
      if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) found += 1;
    }
  }
  return found;
}

test("a lone card stands above its anchor", () => {
  const place = layout([item("a", 600, 400)], AREA, 100, NONE).get("a")!;
  expect(place.form).toBe("card");
  expect(place.left + CARD.width / 2).toBe(600);
  expect(place.top + CARD.height).toBeLessThan(400);
});

test("fifty cards on one spot do not overlap, and stay on the screen", () => {
  const items = Array.from({ length: 50 }, (_, i) => item(`w${i}`, 600 + (i % 7) * 9, 400 + (i % 5) * 9));
  const places = layout(items, AREA, 100, NONE);
  expect(places.size).toBe(50);
  expect(overlaps(places)).toBe(0);
  for (const box of sizes(places)) {
    expect(box.left).toBeGreaterThanOrEqual(0);
    expect(box.right).toBeLessThanOrEqual(AREA.width);
    expect(box.top).toBeGreaterThanOrEqual(AREA.top);
    expect(box.bottom).toBeLessThanOrEqual(AREA.height - AREA.bottom);
  }
  expect([...places.values()].filter((place) => place.form === "card").length).toBeGreaterThanOrEqual(8);
});

test("a screen of 375 pixels holds cards too", () => {
  const items = Array.from({ length: 8 }, (_, i) => item(`w${i}`, 40 + i * 42, 300 + (i % 3) * 30));
  const places = layout(items, { width: 375, height: 667, top: 48, bottom: 64 }, 100, NONE);
  expect(overlaps(places)).toBe(0);
  expect([...places.values()].some((place) => place.form === "card")).toBe(true);
});

test("what is far shrinks, unless it is in alarm", () => {
  const items = [item("far", 200, 400, { distance: 50 }), item("alarm", 800, 400, { distance: 50, rank: 2 })];
  const places = layout(items, AREA, 30, NONE);
  expect(places.get("far")!.form).toBe("pill");
  expect(places.get("alarm")!.form).toBe("card");
});

test("the more important card gets the room", () => {
  const narrow = { width: 190, height: 240, top: 48, bottom: 64 };
  const items = [item("a", 95, 160, { distance: 1 }), item("b", 95, 160, { rank: 1 })];
  expect(layout(items, narrow, 100, NONE).get("b")!.form).toBe("card");
  expect(layout(items, narrow, 100, NONE).get("a")!.form).not.toBe("card");
});

test("cards leave the plant and the panels to be seen", () => {
  const covered = [{ left: 1000, top: 60, right: 1270, bottom: 400 }];
  const items = Array.from({ length: 60 }, (_, i) => item(`w${i}`, (i % 10) * 125 + 60, Math.floor(i / 10) * 100 + 120));
  const places = layout(items, { ...AREA, covered }, 100, NONE);
  const cards = [...places.values()].filter((place) => place.form === "card");
  expect(cards.length * CARD.width * CARD.height).toBeLessThan(0.25 * AREA.width * AREA.height);
  for (const box of sizes(places)) expect(box.left < 1270 && box.right > 1000 && box.top < 400 && box.bottom > 60).toBe(false);
});

test("a card stands beside the plant rather than before it", () => {
  const plant = { left: 500, right: 700, top: 150, bottom: 600 };
  const hides = (box: { left: number; right: number; top: number; bottom: number }): number => {
    const wide = Math.max(Math.min(box.right, plant.right) - Math.max(box.left, plant.left), 0);
    const high = Math.max(Math.min(box.bottom, plant.bottom) - Math.max(box.top, plant.top), 0);
    return (wide * high) / (CARD.width * CARD.height);
  };
  const place = layout([item("a", 660, 400)], { ...AREA, hides }, 100, NONE).get("a")!;
  expect(place.form).toBe("card");
  expect(hides({ left: place.left, top: place.top, right: place.left + CARD.width, bottom: place.top + CARD.height })).toBeLessThan(0.1);
});

test("what is behind the camera or far outside is hidden", () => {
  const items = [item("behind", 600, 400, { visible: false }), item("outside", 2000, 400)];
  const places = layout(items, AREA, 100, NONE);
  expect([...places.values()].map((place) => place.form)).toEqual(["hidden", "hidden"]);
});

test("a card keeps its side while the camera moves", () => {
  const two = (shift: number): Item[] => [item("a", 600 + shift, 400), item("b", 610 + shift, 400)];
  let places = layout(two(0), AREA, 100, NONE);
  const slot = places.get("b")!.slot;
  for (let shift = 1; shift < 200; shift += 7) {
    places = layout(two(shift), AREA, 100, places);
    expect(places.get("b")!.slot).toBe(slot);
  }
});

test("nothing flickers at the distance where cards shrink", () => {
  const at = (distance: number, before: Map<string, Place>): Map<string, Place> =>
    layout([item("a", 600, 400, { distance })], AREA, 30, before);
  const card = at(29, at(10, NONE));
  expect(card.get("a")!.form).toBe("card");
  const pill = at(31, card);
  expect(pill.get("a")!.form).toBe("pill");
  expect(at(29, pill).get("a")!.form).toBe("pill");
  expect(at(27, pill).get("a")!.form).toBe("card");
});

test("a leader line ends at the card's edge", () => {
  const place: Place = { form: "card", left: 100, top: 100, slot: 0 };
  expect(leaderEnd({ x: 150, y: 400 }, place, CARD)).toEqual({ x: 150, y: 172 });
  expect(leaderEnd({ x: 20, y: 20 }, place, CARD)).toEqual({ x: 100, y: 100 });
});
