// Joint angles of one person over time, with a cursor that follows the video.

import { get } from "./api.js";
import { h, svg } from "./dom.js";
import { clock, title } from "./format.js";
import { Windows } from "./windows.js";

const WINDOW_S = 60;
const BREAK_S = 0.5;
const LEAST_SPAN = 60;

/** Names of one joint: ["left_knee", "right_knee"] for knee, ["trunk"] for trunk. */
function joints(names) {
  const found = new Map();
  for (const name of names) {
    const joint = name.replace(/^(left|right)_/, "");
    found.set(joint, [...(found.get(joint) ?? []), name]);
  }
  return found;
}

/** Plots what /angles says; empty until the first window is there. */
export class Angles {
  constructor(id, player, manifest, signal) {
    this.player = player;
    this.signal = signal;
    this.joints = new Map();
    this.windows = new Windows(WINDOW_S, (from, to) => this.fetch(id, from, to), () => this.changed());
    this.build(manifest);
    player.listeners.push((time) => this.follow(time));
  }

  build(manifest) {
    const choose = () => this.plot();
    const longest = [...manifest.tracks].sort((a, b) => b.frames - a.frames)[0];
    this.person = h("select", { id: "angle-person", onchange: choose }, manifest.tracks.map((one) => h("option", { value: one.track_id, selected: one === longest }, `Person ${one.track_id}`)));
    this.joint = h("select", { id: "angle-joint", onchange: choose });
    this.drawing = svg("svg", { class: "curves", preserveAspectRatio: "none", role: "img" });
    this.scale = h("div", { class: "scale", "aria-hidden": "true" });
    this.cursor = h("div", { class: "cursor" });
    this.area = h("div", { class: "plot", onpointerdown: (event) => this.pick(event), onpointermove: (event) => event.buttons === 1 && this.pick(event) }, this.drawing, this.scale, this.cursor);
    this.legend = h("div", { class: "legend" });
    this.element = h("section", { class: "card angles", "aria-labelledby": "angles-title", hidden: true },
      h("div", { class: "row wrap" }, h("h2", { id: "angles-title" }, "Angles"), h("span", { class: "grow" }), this.legend,
        h("label", { class: "unseen", for: "angle-person" }, "Person"), this.person, h("label", { class: "unseen", for: "angle-joint" }, "Angle"), this.joint),
      this.area, this.ends = h("div", { class: "row ends muted small" }));
  }

  async fetch(id, from, to) {
    const found = { names: [], tracks: {} };
    for (let next = from; next !== null && next < to;) {
      const page = await get(`jobs/${id}/angles?from_s=${next}&to_s=${to}`, this.signal);
      found.names = page.names;
      for (const [track, columns] of Object.entries(page.tracks)) {
        const mine = (found.tracks[track] ??= {});
        for (const [name, values] of Object.entries(columns)) (mine[name] ??= []).push(...values);
      }
      next = page.next_s;
    }
    return found;
  }

  changed() {
    const names = this.windows.all()[0].names.filter((name) => !name.startsWith("speed"));
    if (!this.joints.size) {
      this.joints = joints(names);
      this.joint.append(...[...this.joints.keys()].map((joint) => h("option", { value: joint, selected: joint === "knee" }, title(joint))));
    }
    this.element.hidden = false;
    this.plot();
  }

  /** The stretch that is plotted: the window that the video is in. */
  range() {
    const from = Math.floor(this.player.time / WINDOW_S) * WINDOW_S;
    return [from, Math.max(from + 1e-3, Math.min(from + WINDOW_S, this.player.duration))];
  }

  series() {
    const mine = this.windows.at(this.player.time)?.tracks[this.person.value];
    return (this.joints.get(this.joint.value) ?? []).map((name) => ({ name, times: mine?.t ?? [], values: mine?.[name] ?? [] }));
  }

  plot() {
    const [from, to] = this.range(), series = this.series();
    this.plotted = from;
    const [low, high] = limits(series.flatMap((one) => one.values));
    this.drawing.setAttribute("viewBox", `${from} ${-high} ${to - from} ${high - low}`);
    this.drawing.setAttribute("aria-label", `${title(this.joint.value)} of person ${this.person.value} in degrees, ${clock(from)} to ${clock(to)}`);
    const step = high - low > 240 ? 90 : high - low > 120 ? 45 : 30;
    const levels = Array.from({ length: Math.floor(high / step) - Math.ceil(low / step) + 1 }, (_, index) => (Math.ceil(low / step) + index) * step);
    const grid = levels.map((level) => svg("line", { class: level ? "grid" : "grid zero", x1: from, x2: to, y1: -level, y2: -level, "vector-effect": "non-scaling-stroke" }));
    this.drawing.replaceChildren(...grid, ...series.map((one) => svg("path", { class: `curve ${side(one.name)}`, d: path(one), "vector-effect": "non-scaling-stroke" })));
    this.scale.replaceChildren(...levels.map((level) => {
      const label = h("span", {}, `${level}°`);
      label.style.top = `${(100 * (high - level)) / (high - low)}%`;
      return label;
    }));
    this.ends.replaceChildren(h("span", {}, clock(from, 0)), h("span", {}, clock(to, 1)));
    this.follow(this.player.time);
  }

  pick(event) {
    const { left, width } = this.area.getBoundingClientRect();
    const [from, to] = this.range();
    this.player.seek(from + Math.min(1, Math.max(0, (event.clientX - left) / width)) * (to - from));
  }

  follow(time) {
    this.windows.want(time, this.player.duration);
    const [from, to] = this.range();
    if (this.plotted !== from && this.windows.at(time)) return this.plot();
    this.cursor.style.left = `${(100 * (time - from)) / (to - from)}%`;
    this.legend.replaceChildren(...this.series().map((one) => h("span", { class: side(one.name) }, h("i", {}), `${title(one.name)} `, h("b", {}, value(one, time)))));
  }
}

const side = (name) => (name.startsWith("left") ? "left" : name.startsWith("right") ? "right" : "middle");

function limits(values) {
  const known = values.filter((one) => one !== null);
  if (!known.length) return [0, 180];
  const low = Math.min(...known), high = Math.max(...known);
  const more = Math.max(0, LEAST_SPAN - (high - low)) / 2 + 4;
  return [low - more, high + more];
}

function path({ times, values }) {
  let text = "", last = -Infinity;
  times.forEach((time, at) => {
    if (values[at] === null) return;
    text += `${time - last > BREAK_S ? "M" : "L"}${time.toFixed(3)} ${(-values[at]).toFixed(1)}`;
    last = time;
  });
  return text;
}

function value({ times, values }, time) {
  const at = times.findLastIndex((one) => one <= time + 0.004);
  const known = at >= 0 && time - times[at] < 0.2 && values[at] !== null;
  return known ? `${Math.round(values[at])}°` : "–";
}
