// Where videos are dropped, what is to be done with them, and how they go out.

import { post } from "./api.js";
import { h, icon, say } from "./dom.js";
import { bytes, span } from "./format.js";
import { upload } from "./upload.js";

const QUALITIES = [["fast", "Fast"], ["balanced", "Balanced"], ["best", "Best"]];
const HINTS = { fast: "For a quick look: people who are large in the picture.", balanced: "About 12 times the work: far better with small people.", best: "About 70 times the work: crowds and small people." };
const STYLES = [["overlay", "Skeleton"], ["black", "Black background"], ["side-by-side", "Side by side"], ["boxes", "Boxes"], ["trails", "Trails"], ["angles", "Angles"], ["heatmap", "Heat map"], ["blur-faces", "Blur faces"], ["pixelate-people", "Pixelate people"]];
const AT_A_TIME = 2;

/** Uploads that go on while other views are shown. */
const rows = h("ul", { class: "uploads" });
const queue = [];
let active = 0;
let arrived = () => {};

/** The drop zone; `added` is told of each job that was made. */
export function dropZone(added) {
  arrived = added;
  const options = new OptionsForm();
  const files = h("input", { type: "file", id: "files", class: "unseen", accept: "video/*,.mkv,.mts,.ts,.avi", multiple: true, onchange: () => { take(files.files, options.value()); files.value = ""; } });
  const target = h("label", { class: "target", for: "files" }, icon("upload"), h("span", {}, h("span", { class: "mouse" }, h("b", {}, "Drop videos here"), " or "), h("span", { class: "link" }, "choose files")));
  const zone = h("section", { class: "card drop", "aria-label": "New videos" }, files, target, options.element, rows);
  const over = (event) => { event.preventDefault(); zone.classList.add("over"); };
  zone.addEventListener("dragenter", over);
  zone.addEventListener("dragover", over);
  zone.addEventListener("dragleave", (event) => zone.contains(event.relatedTarget) || zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    take(event.dataTransfer.files, options.value());
  });
  return zone;
}

class OptionsForm {
  constructor() {
    this.hint = h("p", { class: "muted small", id: "quality-hint" }, HINTS.fast);
    const quality = ([value, text]) => h("label", {}, h("input", { type: "radio", name: "quality", value, checked: value === "fast", "aria-describedby": "quality-hint", onchange: () => { this.hint.textContent = HINTS[value]; } }), h("span", {}, text));
    const style = ([value, text]) => h("label", {}, h("input", { type: "checkbox", name: "style", value, checked: value === "overlay" }), text);
    this.element = h("form", { class: "options", onsubmit: (event) => event.preventDefault() },
      h("div", { class: "row wrap" }, h("fieldset", { class: "segments" }, h("legend", { class: "unseen" }, "Quality"), QUALITIES.map(quality)), this.hint),
      h("details", {}, h("summary", {}, "More"),
        h("fieldset", { class: "checks" }, h("legend", {}, "Annotated video"), STYLES.map(style)),
        h("fieldset", { class: "checks" }, h("legend", {}, "Also"), h("label", {}, h("input", { type: "checkbox", name: "kinematics", checked: true }), "Joint angles and speeds"))));
  }

  value() {
    const form = new FormData(this.element);
    const style = form.getAll("style");
    return { quality: form.get("quality"), kinematics: form.has("kinematics"), ...(style.length ? { style } : { render: false }) };
  }
}

function take(files, options) {
  for (const file of files) queue.push(new Row(file, options));
  advance();
}

function advance() {
  while (active < AT_A_TIME && queue.length) {
    active++;
    queue.shift().send().finally(() => { active--; advance(); });
  }
}

addEventListener("beforeunload", (event) => { if (active) event.preventDefault(); });

/** One file on its way. */
class Row {
  constructor(file, options) {
    Object.assign(this, { file, options, stop: new AbortController(), said: 0 });
    this.bar = h("progress", { max: 1, value: 0, "aria-label": `Upload of ${file.name}` });
    this.words = h("span", { class: "muted small numbers" }, `${bytes(file.size)}, waiting`);
    this.button = h("button", { type: "button", class: "plain small", onclick: () => this.cancel() }, "Cancel");
    this.element = h("li", {}, h("b", {}, file.name), this.words, this.button, this.bar);
    rows.append(this.element);
  }

  async send() {
    if (this.stop.signal.aborted) return;
    this.began = performance.now();
    try {
      if (!this.file.size) throw new Error("the file is empty");
      const uri = await upload(this.file, (done) => this.moved(done), this.stop.signal);
      this.words.textContent = "Making a job";
      const job = await post("jobs", { uri, options: this.options });
      this.element.remove();
      say(`${this.file.name} is uploaded`);
      arrived(job);
    } catch (error) {
      if (!this.stop.signal.aborted) this.failed(error);
    }
  }

  moved(done) {
    const share = done / this.file.size, seconds = (performance.now() - this.began) / 1000;
    this.bar.value = share;
    const left = seconds > 1 && share < 1 ? `, ${span((seconds / share) * (1 - share))} left` : "";
    this.words.textContent = `${bytes(done)} of ${bytes(this.file.size)}${left}`;
    if (share >= this.said + 0.25 && share < 1) {
      this.said = Math.floor(4 * share) / 4;
      say(`${this.file.name}: ${100 * this.said} percent uploaded`);
    }
  }

  cancel() {
    this.stop.abort();
    this.element.remove();
  }

  failed(error) {
    this.element.classList.add("bad");
    this.words.textContent = `Not uploaded: ${error.message}`;
    this.words.setAttribute("role", "alert");
    const retry = () => { this.element.remove(); take([this.file], this.options); };
    this.button.before(h("button", { type: "button", class: "plain small", onclick: retry }, "Try again"));
    this.button.textContent = "Dismiss";
  }
}
