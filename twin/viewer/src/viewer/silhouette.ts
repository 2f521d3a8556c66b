// Where on the screen the plant is, in coarse cells, so that cards can keep off it. Pure.
import type { Box } from "./layout";

const CELL = 24; // pixels

export class Silhouette {
  private columns = 0;
  private rows = 0;
  private cells = new Uint8Array(0);
  /** Sums of the cells left of and above each corner. */
  private sums = new Uint32Array(1);

  /** Begin anew for a picture of this size. */
  clear(width: number, height: number): void {
    this.columns = Math.max(Math.ceil(width / CELL), 1);
    this.rows = Math.max(Math.ceil(height / CELL), 1);
    const count = this.columns * this.rows;
    if (this.cells.length === count) this.cells.fill(0);
    else {
      this.cells = new Uint8Array(count);
      this.sums = new Uint32Array((this.columns + 1) * (this.rows + 1));
    }
  }

  /** A point of the plant is seen here. */
  mark(x: number, y: number): void {
    const column = Math.floor(x / CELL);
    const row = Math.floor(y / CELL);
    if (column >= 0 && row >= 0 && column < this.columns && row < this.rows) this.cells[row * this.columns + column] = 1;
  }

  /** Call after the last mark. */
  finish(): void {
    const wide = this.columns + 1;
    for (let row = 0; row < this.rows; row++) {
      let line = 0;
      for (let column = 0; column < this.columns; column++) {
        line += this.cells[row * this.columns + column]!;
        this.sums[(row + 1) * wide + column + 1] = this.sums[row * wide + column + 1]! + line;
      }
    }
  }

  /** Return which part of a box lies over the plant, from 0 to 1. */
  under(box: Box): number {
    const wide = this.columns + 1;
    const column = (x: number): number => Math.min(Math.max(Math.round(x / CELL), 0), this.columns);
    const row = (y: number): number => Math.min(Math.max(Math.round(y / CELL), 0), this.rows);
    const [left, right, top, bottom] = [column(box.left), column(box.right), row(box.top), row(box.bottom)];
    const count = (right - left) * (bottom - top);
    if (count <= 0) return 0;
    const at = (r: number, c: number): number => this.sums[r * wide + c]!;
    return (at(bottom, right) - at(top, right) - at(bottom, left) + at(top, left)) / count;
  }
}
