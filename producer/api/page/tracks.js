// The people of a video, frame by frame, in pixels of the picture as displayed.

import { get } from "./api.js";
import { Windows } from "./windows.js";

const WINDOW_S = 30;
const ROUNDING_S = 0.004;

/** The track file of a job, smoothed and as found. */
export class Tracks {
  constructor(id, manifest, signal, changed) {
    this.size = { width: manifest.display_width, height: manifest.display_height };
    this.skeleton = [];
    this.end = manifest.duration_s ?? Infinity;
    this.interval = 1 / (manifest.frame_rate || 30);
    this.stale = manifest.variable_frame_rate ? 0.5 : 1.5 * this.interval;
    this.raw = false;
    const windows = (raw) => new Windows(WINDOW_S, (from, to) => this.fetch(id, raw, from, to, signal), changed);
    this.smooth = windows(false);
    this.found = windows(true);
  }

  get windows() {
    return this.raw ? this.found : this.smooth;
  }

  async fetch(id, raw, from, to, signal) {
    const frames = [];
    for (let next = from; next !== null && next < to;) {
      const page = await get(`jobs/${id}/tracks?raw=${raw}&from_s=${next}&to_s=${to}`, signal);
      if (page.width) this.size = { width: page.width, height: page.height };
      this.skeleton = page.skeleton;
      frames.push(...page.frames);
      next = page.next_s;
    }
    return frames;
  }

  want(time) {
    this.windows.want(time, this.end);
  }

  /** Whether what is shown at `time` is known yet. */
  ready(time) {
    return this.windows.at(time) !== undefined;
  }

  /** The frame that is shown at `time`, or null where there is nobody or nothing is known yet. */
  frame(time) {
    const frames = this.windows.at(time) ?? [];
    const frame = frames[after(frames, time + ROUNDING_S) - 1];
    return frame && time - frame.t <= this.stale ? frame : null;
  }

  /** Frames from `from` to `to`, as far as they are here. */
  between(from, to) {
    const found = [];
    for (const frames of this.windows.all()) {
      found.push(...frames.slice(after(frames, from), after(frames, to + ROUNDING_S)));
    }
    return found;
  }

  /** When the next frame begins (or with -1 the one before), by the file where it says so, else by the frame rate. */
  beside(time, direction) {
    const frames = this.windows.at(time) ?? [];
    const now = after(frames, time + ROUNDING_S) - 1;
    const other = frames[now + direction];
    if (frames[now] && other && Math.abs(other.t - time) <= this.stale + this.interval) return other.t;
    return time + direction * this.interval;
  }

  /** Stretches [from, to] in which each person is there, of what is here: a Map by id. */
  presence() {
    const stretches = new Map();
    for (const frame of this.smooth.all().flat()) {
      for (const { id } of frame.people) {
        const mine = stretches.get(id) ?? [];
        const last = mine.at(-1);
        if (last && frame.t - last[1] <= 2 * this.stale) last[1] = frame.t;
        else mine.push([frame.t, frame.t]);
        stretches.set(id, mine);
      }
    }
    return stretches;
  }
}

/** How many of the frames begin at `time` or before. */
function after(frames, time) {
  let low = 0, high = frames.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (frames[middle].t <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}
