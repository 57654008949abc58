// All jobs: search, filter, more; new ones appear and running ones move.

import { ended, get } from "./api.js";
import { h, pause } from "./dom.js";
import { dropZone } from "./drop.js";
import { ago, count, counted, parts, title, when } from "./format.js";
import { share } from "./progress.js";
import { STATES, badge } from "./state.js";

const PAGE = 50;
const MOST = 200;
const BUSY_MS = 1500;
const CALM_MS = 10000;
const TYPING_MS = 250;

/** Fill `main` with the list and keep it current until `signal` stops it. */
export function showList(main, signal) {
  const list = new List(signal);
  main.append(dropZone(() => list.refresh()), list.element);
  list.run();
}

class List {
  constructor(signal) {
    this.signal = signal;
    this.rows = new Map();
    this.wanted = PAGE;
    this.asked = 0;
    let typing;
    const changed = () => { this.wanted = PAGE; this.refresh(); };
    this.search = h("input", { type: "search", id: "search", placeholder: "Search", autocomplete: "off", spellcheck: "false", oninput: () => { clearTimeout(typing); typing = setTimeout(changed, TYPING_MS); } });
    this.state = h("select", { id: "state", onchange: changed }, h("option", { value: "" }, "All states"), STATES.map((state) => h("option", { value: state }, title(state))));
    this.items = h("ul", { class: "jobs" });
    this.empty = h("p", { class: "empty muted", hidden: true });
    this.more = h("button", { type: "button", class: "plain", hidden: true, onclick: () => this.showMore() }, "Show more");
    this.element = h("section", { class: "list", "aria-labelledby": "jobs-title" },
      h("div", { class: "row wrap" }, h("h1", { id: "jobs-title" }, "Jobs"), h("span", { class: "grow" }),
        h("label", { class: "unseen", for: "search" }, "Search jobs"), this.search, h("label", { class: "unseen", for: "state" }, "State"), this.state),
      this.items, this.empty, h("div", { class: "row middle" }, this.more));
  }

  async run() {
    document.addEventListener("visibilitychange", () => document.hidden || this.refresh(), { signal: this.signal });
    while (!this.signal.aborted) {
      if (!document.hidden) await this.refresh();
      await pause(this.busy ? BUSY_MS : CALM_MS, this.signal).catch(() => {});
    }
  }

  query(cursor = "") {
    const query = new URLSearchParams({ limit: cursor ? PAGE : Math.min(this.wanted, MOST), cursor });
    for (const [name, { value }] of [["search", this.search], ["state", this.state]]) if (value.trim()) query.set(name, value.trim());
    return `jobs?${query}`;
  }

  async refresh() {
    const mine = ++this.asked;
    try {
      const page = await get(this.query(), this.signal);
      if (mine !== this.asked) return;
      const all = this.wanted <= MOST;
      this.show(page.jobs, { keep: !all });
      if (all) this.turn(page.cursor);
    } catch (error) {
      if (!this.signal.aborted) this.say(`The list cannot be loaded: ${error.message}`);
    }
  }

  async showMore() {
    this.more.disabled = true;
    const page = await get(this.query(this.cursor), this.signal).catch(() => null);
    this.more.disabled = false;
    if (!page) return;
    this.asked++;
    this.wanted = this.rows.size + page.jobs.length;
    this.show(page.jobs, { keep: true, last: this.items.lastElementChild });
    this.turn(page.cursor);
    this.rows.get(page.jobs[0]?.job_id)?.link.focus();
  }

  turn(cursor) {
    this.cursor = cursor;
    this.more.hidden = !cursor;
  }

  /** Rows of `jobs` after the row `last`, or from the top; others go unless they are to be kept. What stands right stays, as moving takes the focus. */
  show(jobs, { keep, last = null }) {
    const known = new Set(jobs.map((job) => job.job_id));
    for (const [id, row] of this.rows) if (!keep && !known.has(id)) { row.element.remove(); this.rows.delete(id); }
    const more = last !== null;
    for (const job of jobs) {
      const old = this.rows.get(job.job_id), row = old ?? new JobRow();
      row.show(job);
      this.rows.set(job.job_id, row);
      if (more && old) continue;
      const place = last ? last.nextElementSibling : this.items.firstElementChild;
      if (row.element !== place) this.items.insertBefore(row.element, place);
      last = row.element;
    }
    this.busy = [...this.rows.values()].some((row) => !ended(row.job));
    const filtered = this.search.value.trim() || this.state.value;
    this.say(this.rows.size ? "" : filtered ? "No job matches." : "No jobs yet. Drop a video above to begin.");
  }

  say(text) {
    this.empty.textContent = text;
    this.empty.hidden = !text;
  }
}

/** One job in the list. */
class JobRow {
  constructor() {
    this.link = h("a", {});
    this.element = h("li", {}, this.link);
  }

  show(job) {
    const said = JSON.stringify(job) + ago(job.created_s);
    if (said === this.said) return;
    this.said = said;
    this.job = job;
    const { name, folder } = parts(job.uri), part = share(job);
    this.link.href = `#/jobs/${job.job_id}`;
    const running = !ended(job) && part !== null;
    this.link.replaceChildren(
      h("span", { class: "name" }, h("b", { title: job.uri }, name), h("span", { class: "muted small" }, folder)),
      badge(job),
      running ? h("span", { class: "facts" }, h("progress", { max: 1, value: part, "aria-label": "Progress" }), h("span", { class: "small numbers percent" }, `${Math.floor(100 * part)} %`)) : h("span", { class: "facts muted small numbers" }, facts(job)),
      h("time", { class: "muted small", datetime: new Date(job.created_s * 1000).toISOString(), title: when(job.created_s) }, ago(job.created_s)));
  }
}

function facts(job) {
  if (job.error) return job.error.message;
  const found = [];
  if (job.tracks !== null && job.tracks !== undefined) found.push(counted(job.tracks, "person", "people"));
  if (job.frames) found.push(`${count(job.frames)} ${job.pictures ? "pictures" : "frames"}`);
  if (job.dead_ranges) found.push(`${counted(job.dead_ranges, "range")} missing`);
  return found.join(" · ");
}
