// What the API has for a stretch of time, fetched ahead and kept for a while.

import { pause } from "./dom.js";

const KEPT = 8;
const AGAIN_MS = 3000;

/** Windows of `length` seconds. `fetchRange(from, to)` resolves to a window's value; `changed` is told when one is there. */
export class Windows {
  constructor(length, fetchRange, changed) {
    this.length = length;
    this.fetchRange = fetchRange;
    this.changed = changed;
    this.values = new Map();
    this.waiting = new Set();
  }

  /** The window that `time` is in, or undefined while it is on its way. */
  at(time) {
    return this.values.get(Math.floor(Math.max(0, time) / this.length));
  }

  /** All windows that are here, by time. */
  all() {
    return [...this.values].sort(([a], [b]) => a - b).map(([, value]) => value);
  }

  /** Fetch the window that `time` is in, and, when it is half over, the next. */
  want(time, end) {
    const number = Math.floor(Math.max(0, time) / this.length);
    this.load(number);
    if (time > (number + 0.5) * this.length && (number + 1) * this.length < end) this.load(number + 1);
  }

  async load(number) {
    if (this.values.has(number) || this.waiting.has(number)) return;
    this.waiting.add(number);
    try {
      this.values.set(number, await this.fetchRange(number * this.length, (number + 1) * this.length));
      for (const other of this.values.keys()) {
        if (this.values.size > KEPT && Math.abs(other - number) > KEPT / 2) this.values.delete(other);
      }
      this.changed();
    } catch (error) {
      if (error.name === "AbortError" || error.status < 500) return;
      await pause(AGAIN_MS);
      setTimeout(() => this.load(number));
    } finally {
      this.waiting.delete(number);
    }
  }
}
