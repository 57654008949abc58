// What went wrong: the error, warnings, and ranges of frames that were given up.

import { get, getOrNull, post } from "./api.js";
import { h, note } from "./dom.js";
import { clock, counted } from "./format.js";

/** The notices of a job that has ended, the gravest first; `seek` goes to a time of the video. */
export async function notices(job, manifest, seek, signal) {
  const found = [];
  if (manifest.error) found.push(failure(job, manifest));
  if (manifest.dead_ranges.length) {
    const dead = await getOrNull(`jobs/${job.job_id}/dead`, signal).catch(() => null);
    found.push(deadRanges(job, manifest, dead?.letters ?? [], seek));
  }
  if (manifest.broken.length) {
    found.push(list("warn", `${counted(manifest.broken.length, "picture")} could not be read`, manifest.broken.map((one) => `${one.name ?? one.key ?? ""}: ${one.message ?? one.reason ?? ""}`)));
  }
  if (manifest.warnings.length) found.push(list("warn", counted(manifest.warnings.length, "warning"), manifest.warnings));
  return found;
}

function failure(job, manifest) {
  return h("section", { class: "card notice bad", "aria-label": "Error" },
    h("div", {}, h("h2", {}, "This job failed"), h("p", {}, sentence(manifest.error.message)), h("p", { class: "muted small" }, h("code", {}, manifest.error.reason))),
    h("button", { type: "button", class: "plain", onclick: (event) => once(event, () => again(job, manifest)) }, "Run again"));
}

function deadRanges(job, manifest, letters, seek) {
  const rate = manifest.frame_rate || 30;
  const rows = manifest.dead_ranges.map(([start, stop]) => {
    const letter = letters.find((one) => one.start < stop && one.stop > start);
    const jump = h("button", { type: "button", class: "link numbers", onclick: () => seek(start / rate) }, `${clock(start / rate)} – ${clock(stop / rate)}`);
    return h("li", {}, jump, h("span", { class: "muted small numbers" }, `frames ${start}–${stop - 1}${letter ? `, ${letter.step}` : ""}`), letter && h("span", { class: "small" }, sentence(letter.error.message)));
  });
  return h("section", { class: "card notice warn", "aria-label": "Ranges that were given up" },
    h("div", {}, h("h2", {}, `${counted(rows.length, "range")} of frames could not be done`), h("ul", { class: "ranges" }, rows)),
    h("button", { type: "button", class: "primary", onclick: (event) => once(event, () => retry(job)) }, "Retry these"));
}

function list(kind, heading, lines) {
  return h("details", { class: `card notice ${kind}` }, h("summary", {}, heading), h("ul", {}, lines.map((line) => h("li", {}, sentence(line)))));
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

async function once(event, act) {
  const button = event.currentTarget;
  button.disabled = true;
  try {
    const job = await act();
    location.hash = `#/jobs/${job.job_id}`;
  } catch (error) {
    note(`That did not work: ${error.message}`, "bad");
    button.disabled = false;
  }
}

const retry = (job) => post(`jobs/${job.job_id}/retry`);

/** The same video with the same options, as a job of its own. */
export async function again(job, manifest) {
  const known = manifest ?? (await get(`jobs/${job.job_id}/manifest`));
  return post("jobs", { uri: job.uri, options: known.options, force: true });
}
