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

/** Links that are renewed before they expire. */
export class Files {
  constructor(id, signal) {
    this.id = id;
    this.signal = signal;
    this.list = h("ul", { class: "files" });
    this.element = h("section", { class: "card", "aria-labelledby": "files-title" }, h("h2", { id: "files-title" }, "Files"), this.list);
    signal.addEventListener("abort", () => clearTimeout(this.timer));
  }

  /** Ask for the results and show them; the answer. */
  async load() {
    const answer = await get(`jobs/${this.id}/results`, this.signal);
    this.list.replaceChildren(...answer.results.sort((a, b) => place(a) - place(b)).map(file));
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
