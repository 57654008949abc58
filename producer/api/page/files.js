// The results of a job, to download.

import { get } from "./api.js";
import { h } from "./dom.js";
import { bytes } from "./format.js";

/** What the files are, those first that most people want. */
const WHAT = {
  "annotated.mp4": "Video with skeletons",
  "tracks.parquet": "Tracks, smoothed",
  "tracks_raw.parquet": "Tracks as found",
  "tracks_summary.csv": "A line per track",
  "angles.parquet": "Angles and speeds",
  "angles.csv": "Angles and speeds",
  "poster.jpg": "The best frame",
  "contact_sheet.jpg": "Frames, evenly spaced",
  "preview.webp": "The liveliest seconds",
  "timeline.png": "Who is there when",
  "keypoints_coco.json": "Keypoints, COCO",
};

const MOST_OTHERS = 3;

/** Links that are renewed before they expire. */
export class Files {
  constructor(id, signal) {
    this.id = id;
    this.signal = signal;
    this.list = h("ul", { class: "files" });
    this.more = h("details", { hidden: true });
    this.element = h("section", { class: "card", "aria-labelledby": "files-title" }, h("h2", { id: "files-title" }, "Files"), this.list, this.more);
    signal.addEventListener("abort", () => clearTimeout(this.timer));
  }

  /** Ask for the results and show them; the answer. */
  async load() {
    const answer = await get(`jobs/${this.id}/results`, this.signal);
    const sorted = answer.results.sort((a, b) => place(a) - place(b));
    const others = sorted.filter(({ name }) => !(name in WHAT));
    const folded = others.length > MOST_OTHERS ? others : [];
    this.list.replaceChildren(...sorted.filter((one) => !folded.includes(one)).map(file));
    this.more.hidden = !folded.length;
    this.more.replaceChildren(h("summary", {}, `${folded.length} more`), h("ul", { class: "files" }, folded.map(file)));
    this.element.hidden = !answer.results.length;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load().catch(() => {}), Math.min(800 * answer.expires_s, 2 ** 31 - 1));
    return answer;
  }
}

const NAMES = Object.keys(WHAT);
const place = ({ name }) => (NAMES.indexOf(name) + 1 || NAMES.length + 1);

function file({ name, size, url }) {
  const plot = /^angles\/angles-0*(\d+)\.png$/.exec(name);
  const words = WHAT[name] ?? (plot ? `Plot of person ${plot[1]}` : "");
  return h("li", {}, h("a", { href: url, download: name, rel: "noreferrer" }, name), h("span", { class: "muted small" }, words), h("span", { class: "numbers" }, bytes(size)));
}
