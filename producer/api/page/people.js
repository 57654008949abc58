// Who is there when: a lane per person, with a switch, and a cursor that follows the video.

import { colour } from "./draw.js";
import { h, svg } from "./dom.js";
import { clock } from "./format.js";

const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200];

/** Lanes of the manifest's tracks; `player` is sought and told who is hidden. */
export class People {
  constructor(player, tracks, manifest) {
    this.player = player;
    this.tracks = tracks;
    this.manifest = manifest;
    this.reports = [...manifest.tracks].sort((a, b) => a.first_time_s - b.first_time_s || a.track_id - b.track_id);
    this.lanes = new Map(this.reports.map((report) => [report.track_id, this.lane(report)]));
    this.cursor = h("div", { class: "cursor" });
    this.over = h("div", { class: "over" }, this.cursor);
    this.ticks = h("div", { class: "ticks", "aria-hidden": "true" });
    this.area = h("div", { class: "lanes" }, this.ticks, [...this.lanes.values()].map((lane) => lane.row), this.over);
    this.element = h("section", { class: "card people", "aria-labelledby": "people-title" },
      h("div", { class: "row" }, h("h2", { id: "people-title" }, "People"), h("span", { class: "muted small" }, this.summary()), h("span", { class: "grow" }),
        this.reports.length > 1 && h("button", { type: "button", class: "plain small", onclick: () => this.all(true) }, "Show all"),
        this.reports.length > 1 && h("button", { type: "button", class: "plain small", onclick: () => this.all(false) }, "Hide all")),
      h("div", { class: "scroller", tabindex: this.reports.length > 8 ? 0 : null, role: "group", "aria-label": "Timeline of people" }, this.area));
    this.listen();
    player.listeners.push((time) => this.follow(time));
    this.measure();
  }

  summary() {
    const { tracks, max_per_frame: most } = this.manifest.people;
    return tracks ? `${tracks} in the video, ${most} at most at a time` : "Nobody was found.";
  }

  lane(report) {
    const id = report.track_id;
    const box = h("input", { type: "checkbox", checked: true, onchange: () => this.toggle(id, box.checked) });
    const drawing = svg("svg", { class: "bar", preserveAspectRatio: "none", viewBox: "0 0 1 1", role: "img", "aria-label": presenceInWords(report) });
    const row = h("div", { class: "lane" }, h("label", {}, box, h("span", { class: "swatch" }), h("span", {}, `Person ${id}`)), drawing);
    row.style.setProperty("--person", colour(id));
    return { row, box, drawing, report };
  }

  listen() {
    const seek = (event) => {
      const { left, width } = this.over.getBoundingClientRect();
      this.player.seek(((event.clientX - left) / width) * this.player.duration);
    };
    this.area.addEventListener("pointerdown", (event) => {
      if (event.button || event.target.closest("label")) return;
      event.preventDefault();
      this.area.setPointerCapture(event.pointerId);
      seek(event);
    });
    this.area.addEventListener("pointermove", (event) => this.area.hasPointerCapture(event.pointerId) && seek(event));
  }

  toggle(id, visible) {
    this.player.hidden[visible ? "delete" : "add"](id);
    this.lanes.get(id).row.classList.toggle("off", !visible);
    this.player.redraw();
  }

  all(visible) {
    for (const [id, { box }] of this.lanes) {
      box.checked = visible;
      this.toggle(id, visible);
    }
  }

  /** Turn the person of the nth lane on or off. */
  toggleNth(index) {
    const lane = [...this.lanes.values()][index];
    if (lane) lane.box.click();
  }

  /** Draw lanes and ticks anew; the video's length or what is known of its people has changed. */
  measure() {
    const end = this.player.duration || 1;
    const presence = this.tracks.presence();
    for (const [id, { drawing, report }] of this.lanes) {
      drawing.setAttribute("viewBox", `0 0 ${end} 1`);
      const span = rectangle("span", report.first_time_s, report.last_time_s + this.tracks.interval);
      drawing.replaceChildren(span, ...(presence.get(id) ?? []).map(([from, to]) => rectangle("there", from, to + this.tracks.interval)));
    }
    this.mark(end);
  }

  mark(end) {
    const most = this.area.clientWidth > 600 ? 10 : 4;
    const step = TICKS.find((tick) => end / tick <= most) ?? end;
    const digits = step < 1 ? 1 : 0;
    const times = Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, index) => index * step).filter((time) => time < 0.96 * end);
    this.ticks.replaceChildren(...times.map((time) => at(h("span", {}, clock(time, digits)), time / end)));
    const rate = this.manifest.frame_rate || 30;
    const dead = this.manifest.dead_ranges.map(([start, stop]) => at(h("div", { class: "dead", title: "These frames were given up" }), start / rate / end, (stop - start) / rate / end));
    const shots = this.manifest.shots.map((frame) => at(h("div", { class: "shot", title: "A new shot" }), frame / rate / end));
    this.over.replaceChildren(...dead, ...shots, this.cursor);
  }

  follow(time) {
    if (this.player.duration !== this.measured) {
      this.measured = this.player.duration;
      this.measure();
    }
    this.cursor.style.left = `${(100 * time) / (this.player.duration || 1)}%`;
    const now = new Set((this.tracks.frame(time)?.people ?? []).map((one) => one.id));
    for (const [id, { row }] of this.lanes) row.classList.toggle("now", now.has(id));
  }
}

function presenceInWords(report) {
  const gaps = report.gaps ? `, with ${report.gaps} gap${report.gaps > 1 ? "s" : ""}` : "";
  return `Person ${report.track_id} from ${clock(report.first_time_s)} to ${clock(report.last_time_s)}${gaps}`;
}

function rectangle(kind, from, to) {
  return svg("rect", { class: kind, x: from, y: 0, width: Math.max(to - from, 0), height: 1 });
}

function at(element, share, width) {
  element.style.left = `${100 * share}%`;
  if (width !== undefined) element.style.width = `${100 * width}%`;
  return element;
}
