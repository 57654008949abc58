// How far a job is: its steps, its speed, the time that is left.

import { h } from "./dom.js";
import { count, span, title } from "./format.js";

const ORDER = ["queued", "planning", "inferring", "stitching", "rendering", "publishing"];
const STEP = { inferring: "infer", rendering: "render" };
const RATE_S = 20;

/** Share of a job's frames that are done, 0 to 1, or null before its frames are counted. */
export function share(job) {
  const steps = Object.values(job.steps);
  const total = steps.reduce((sum, step) => sum + step.total, 0);
  return total ? steps.reduce((sum, step) => sum + step.done, 0) / total : null;
}

/** The panel that is shown while a job runs. */
export class Progress {
  constructor() {
    this.seen = [];
    this.bar = h("progress", { max: 1, "aria-label": "Progress of the job" });
    this.words = h("p", { class: "small muted numbers" });
    this.steps = h("ol", { class: "steps" });
    this.element = h("section", { class: "card progress", "aria-label": "Progress" }, this.steps, this.bar, this.words);
  }

  show(job) {
    const part = share(job);
    if (part === null) this.bar.removeAttribute("value");
    else this.bar.value = part;
    this.words.textContent = this.said(job, part);
    const now = ORDER.indexOf(job.state);
    this.steps.replaceChildren(...ORDER.slice(1).filter((state) => job.steps.render || state !== "rendering" || !job.frames).map((state) => {
      const at = ORDER.indexOf(state);
      const step = job.steps[STEP[state]];
      const percent = step?.total ? Math.floor((100 * step.done) / step.total) : 0;
      return h("li", { class: at < now ? "done" : at === now ? "now" : "", "aria-current": at === now ? "step" : null },
        h("span", {}, title(state)), step && at === now ? h("b", {}, `${percent} %`) : null);
    }));
  }

  said(job, part) {
    if (job.state === "queued") return "Waiting for a worker.";
    const step = job.steps[STEP[job.state]];
    if (!step) return "";
    const text = `${count(step.done)} of ${count(step.total)} frames`;
    const rate = this.rate(step.done, job.state);
    if (!rate) return text;
    return `${text} · ${count(Math.round(rate))} frames a second · about ${span((step.total - step.done) / rate)} left in this step`;
  }

  /** Frames per second of the last seconds. */
  rate(done, state) {
    const now = performance.now() / 1000;
    if (this.state !== state) this.seen = [];
    this.state = state;
    this.seen.push({ now, done });
    this.seen = this.seen.filter((one) => one.now > now - RATE_S);
    const first = this.seen[0];
    return now - first.now > 1 ? (done - first.done) / (now - first.now) : 0;
  }
}
