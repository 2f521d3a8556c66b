import { expect, test } from "vitest";
import { advanced, jumped, LatestWins, LIVE, momentAt, position, type Travel } from "./travel";

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;
const back: Travel = { at: NOW - HOUR / 2, playing: true, speed: 60, spanMs: HOUR };

test("playing moves by the speed and ends live", () => {
  expect(advanced(back, 1000, NOW).at).toBe(NOW - HOUR / 2 + 60_000);
  expect(advanced({ ...back, playing: false }, 1000, NOW).at).toBe(back.at);
  expect(advanced(LIVE, 1000, NOW)).toBe(LIVE);
  const ended = advanced({ ...back, speed: 600 }, HOUR, NOW);
  expect([ended.at, ended.playing]).toEqual([null, false]);
});

test("a jump stays within the span", () => {
  expect(jumped(back, NOW - 2 * HOUR, NOW).at).toBe(NOW - HOUR);
  expect(jumped(back, NOW - 1000, NOW).at).toBe(NOW - 1000);
  expect(jumped(back, NOW + 1, NOW).at).toBeNull();
});

test("the scrubber's place and its moment agree", () => {
  expect(position(back, NOW)).toBe(0.5);
  expect(position(LIVE, NOW)).toBe(1);
  for (const place of [0, 0.25, 0.5, 0.9]) {
    const at = momentAt(place, HOUR, NOW);
    expect(position({ ...back, at }, NOW)).toBeCloseTo(place);
  }
  expect(momentAt(0.9995, HOUR, NOW)).toBe(NOW);
});

function asked(): { answer: ((text: string) => void)[]; questions: number[]; told: string[]; line: LatestWins<number, string> } {
  const questions: number[] = [];
  const answer: ((text: string) => void)[] = [];
  const told: string[] = [];
  const line = new LatestWins<number, string>(
    (question) => {
      questions.push(question);
      return new Promise((resolve, reject) => answer.push((text) => (text === "no" ? reject(new Error(text)) : resolve(text))));
    },
    (question, text) => told.push(`${question}:${text}`),
    (question) => told.push(`${question} failed`),
  );
  return { answer, questions, told, line };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

test("one question at a time, and of the waiting ones the newest", async () => {
  const { answer, questions, told, line } = asked();
  for (let question = 1; question <= 5; question++) line.want(question);
  expect(questions).toEqual([1]);
  answer[0]!("a");
  await settled();
  expect(questions).toEqual([1, 5]);
  answer[1]!("b");
  await settled();
  expect(told).toEqual(["1:a", "5:b"]);
});

test("a failure is told and the next question is asked", async () => {
  const { answer, questions, told, line } = asked();
  line.want(1);
  line.want(2);
  answer[0]!("no");
  await settled();
  answer[1]!("b");
  await settled();
  expect([questions, told]).toEqual([[1, 2], ["1 failed", "2:b"]]);
});

test("nothing is delivered after it was forgotten", async () => {
  const { answer, told, line } = asked();
  line.want(1);
  line.want(2);
  line.forget();
  answer[0]!("late");
  await settled();
  line.want(3);
  answer[1]!("new");
  await settled();
  expect(told).toEqual(["3:new"]);
});
