// One video with skeletons drawn over it, and its controls.

import { TRAIL_S, draw } from "./draw.js";
import { h, icon } from "./dom.js";
import { clock, counted } from "./format.js";

export const SPEEDS = [0.25, 0.5, 0.75, 1, 1.5, 2];
const TOLD_MS = 500;
const EXPIRED_MS = 60000;
const ROUNDING = 0.006;

/** Plays `sources` {original, annotated} and tells `listeners` the time of every frame shown. */
export class Player {
  constructor(sources, tracks, manifest, renew, signal) {
    this.sources = sources;
    this.tracks = tracks;
    this.renew = renew;
    this.signal = signal;
    this.view = "original";
    this.styles = new Set(["skeleton", "numbers"]);
    this.hidden = new Set();
    this.listeners = [];
    this.failed = new Map();
    this.time = this.pictured = 0;
    this.duration = manifest.duration_s || 0;
    this.build(manifest);
    this.load("original");
  }

  build(manifest) {
    this.video = h("video", { playsinline: true, preload: "auto", "aria-label": "Video" });
    this.canvas = h("canvas", { role: "img", "aria-label": "Skeletons over the video" });
    this.trouble = h("p", { class: "trouble", role: "status", hidden: true });
    this.waiting = h("p", { class: "waiting", hidden: true }, "Loading tracks");
    this.stage = h("div", { class: "stage" }, this.video, this.canvas, this.waiting, this.trouble);
    this.stage.style.setProperty("--shape", (manifest.display_width || 16) / (manifest.display_height || 9));
    this.element = h("section", { class: "player", "aria-label": "Player" }, this.stage, this.controls());
    this.listen();
  }

  controls() {
    const button = (name, label, keys, onclick) => h("button", { type: "button", class: "tool", "aria-label": label, title: `${label} (${keys})`, onclick }, icon(name));
    this.playing = button("play", "Play", "space", () => this.toggle());
    this.muted = button("sound", "Mute", "m", () => this.mute());
    this.bar = h("input", { type: "range", class: "scrub", min: 0, max: this.duration, step: "any", value: 0, "aria-label": "Position", oninput: () => this.seek(Number(this.bar.value)) });
    this.clock = h("span", { class: "clock" });
    this.speed = h("select", { "aria-label": "Speed", title: "Speed ([ and ])", onchange: () => this.setSpeed(Number(this.speed.value)) },
      SPEEDS.map((speed) => h("option", { value: speed, selected: speed === 1 }, `${speed}×`)));
    return h("div", { class: "controls" }, this.bar,
      h("div", { class: "row" }, button("back", "Frame back", ",", () => this.step(-1)), this.playing,
        button("next", "Next frame", ".", () => this.step(1)), this.clock, h("span", { class: "grow" }), this.speed, this.muted,
        button("full", "Full screen", "f", () => this.fullScreen())));
  }

  listen() {
    const video = this.video;
    for (const event of ["play", "pause", "ended"]) video.addEventListener(event, () => this.showPlaying());
    for (const event of ["seeked", "loadeddata", "timeupdate"]) video.addEventListener(event, () => this.shown(video.currentTime));
    video.addEventListener("loadedmetadata", () => this.measured());
    video.addEventListener("error", () => this.broke());
    video.addEventListener("click", () => this.toggle());
    this.canvas.addEventListener("click", () => this.toggle());
    if (video.requestVideoFrameCallback) this.everyFrame();
    else this.everyTick();
    new ResizeObserver(() => this.redraw()).observe(this.stage);
  }

  everyFrame() {
    this.video.requestVideoFrameCallback((_, { mediaTime }) => { this.shown(mediaTime, true); this.everyFrame(); });
  }

  everyTick() {
    if (!this.video.paused) this.shown(this.video.currentTime);
    if (!this.signal.aborted) requestAnimationFrame(() => this.everyTick());
  }

  measured() {
    if (Number.isFinite(this.video.duration)) this.duration = Math.max(this.duration, this.video.duration);
    this.bar.max = this.duration;
    this.video.playbackRate = Number(this.speed.value);
    this.tell();
  }

  /** Show another video at the same time: `original` with skeletons drawn, or `annotated`. */
  load(view) {
    const paused = this.video.paused, time = this.time;
    this.view = view;
    this.video.src = this.sources[view] ?? "";
    this.video.currentTime = time;
    if (!paused) this.video.play().catch(() => {});
    this.redraw();
  }

  /** Links expire, so they are renewed first; what breaks again soon cannot be played. */
  async broke() {
    const before = this.failed.get(this.view) ?? -Infinity, now = performance.now();
    this.failed.set(this.view, now);
    if (now - before > EXPIRED_MS) {
      await this.renew();
      return this.load(this.view);
    }
    const other = this.view === "original" && this.sources.annotated && !this.failed.has("annotated");
    this.trouble.hidden = false;
    this.trouble.textContent = other ? "The original cannot be played here. This is the annotated video." : "This browser cannot play the video.";
    if (other) this.element.dispatchEvent(new CustomEvent("fallback"));
  }

  toggle() {
    if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
  }

  seek(time) {
    this.video.currentTime = Math.min(Math.max(0, time), this.duration);
    this.shown(this.video.currentTime);
  }

  /** Half a frame past its beginning, so that rounding does not show the one before. */
  step(direction) {
    this.video.pause();
    this.seek(this.tracks.beside(this.time, direction) + 0.25 * this.tracks.interval);
  }

  setSpeed(speed) {
    this.video.playbackRate = speed;
    this.speed.value = speed;
  }

  faster(steps) {
    const at = SPEEDS.indexOf(Number(this.speed.value)) + steps;
    this.setSpeed(SPEEDS[Math.min(Math.max(0, at), SPEEDS.length - 1)]);
  }

  mute() {
    this.video.muted = !this.video.muted;
    this.muted.replaceChildren(icon(this.video.muted ? "mute" : "sound"));
    this.muted.setAttribute("aria-label", this.video.muted ? "Sound on" : "Mute");
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.element.requestFullscreen?.();
  }

  showPlaying() {
    this.playing.replaceChildren(icon(this.video.paused ? "play" : "pause"));
    this.playing.setAttribute("aria-label", this.video.paused ? "Play" : "Pause");
    this.describe();
  }

  /** The video is at `time`; `sure` when the browser says that this very frame is on the screen. */
  shown(time, sure = false) {
    const told = this.video.requestVideoFrameCallback;
    if (told && !sure && !this.video.paused) return;
    this.time = time;
    if (sure || !told) this.pictured = time;
    this.tell();
  }

  tell() {
    this.bar.value = this.time;
    this.bar.setAttribute("aria-valuetext", `${clock(this.time)} of ${clock(this.duration)}`);
    this.bar.style.setProperty("--part", this.duration ? this.time / this.duration : 0);
    this.clock.textContent = `${clock(this.time)} / ${clock(this.duration)}`;
    this.tracks.want(this.time);
    this.redraw();
    for (const listener of this.listeners) listener(this.time);
  }

  /** Where the picture is on the canvas, in the canvas's pixels. */
  place() {
    const { width, height } = this.tracks.size;
    const scale = Math.min(this.canvas.width / width, this.canvas.height / height);
    const across = width * scale, down = height * scale;
    return { x: (this.canvas.width - across) / 2, y: (this.canvas.height - down) / 2, width: across, height: down, scale };
  }

  redraw() {
    const width = Math.round(this.stage.clientWidth * devicePixelRatio), height = Math.round(this.stage.clientHeight * devicePixelRatio);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.stage.classList.toggle("snug", Math.abs((width * this.tracks.size.height) / (height * this.tracks.size.width) - 1) < ROUNDING);
    const context = this.canvas.getContext("2d");
    this.waiting.hidden = this.view !== "original" || this.tracks.ready(this.pictured);
    if (this.view !== "original") return context.clearRect(0, 0, width, height);
    const { tracks, styles, hidden } = this;
    const trail = styles.has("trails") ? tracks.between(this.pictured - TRAIL_S, this.pictured) : [];
    draw(context, { frame: tracks.frame(this.pictured), trail, place: this.place(), styles, hidden, skeleton: tracks.skeleton });
    this.describe();
  }

  /** In words, at most twice a second, what the canvas shows. */
  describe() {
    this.describing ??= setTimeout(() => {
      this.describing = null;
      const people = (this.tracks.frame(this.pictured)?.people ?? []).filter((one) => !this.hidden.has(one.id));
      const whom = people.map((one) => one.id).join(", ");
      const drawn = this.view === "original" ? `skeletons of ${counted(people.length, "person", "people")}${whom && `, number ${whom}`}` : "nothing is drawn over the annotated video";
      this.canvas.setAttribute("aria-label", `At ${clock(this.pictured)}: ${drawn}`);
    }, TOLD_MS);
  }
}
