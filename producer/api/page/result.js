// What a job has come to: videos, people, angles, files, facts, trouble.

import { getOrNull } from "./api.js";
import { Angles } from "./angles.js";
import { h } from "./dom.js";
import { Files } from "./files.js";
import { count, span, title } from "./format.js";
import { keyboard } from "./keyboard.js";
import { People } from "./people.js";
import { Player } from "./player.js";
import { Tracks } from "./tracks.js";
import { notices } from "./trouble.js";
import { ViewPanel, keys } from "./view.js";

/** Fill `body` with the results of a job that has ended. */
export async function showResult(body, job, signal) {
  const manifest = await getOrNull(`jobs/${job.job_id}/manifest`, signal);
  if (!manifest) return body.append(h("p", { class: "muted" }, "This job has no manifest."));
  const files = new Files(job.job_id, signal);
  const answer = await files.load();
  const watch = manifest.tracks.length || answer.results.some((one) => one.name === "annotated.mp4");
  let seek = () => {};
  const columns = h("div", { class: watch ? "columns" : "narrow" });
  if (watch) seek = watching(columns, job, manifest, files, answer, signal);
  else columns.append(h("div", { class: "side" }, pictures(answer), files.element, about(manifest)));
  body.append(...(await notices(job, manifest, seek, signal)), columns);
}

function watching(columns, job, manifest, files, answer, signal) {
  const url = (results) => results.find((one) => one.name === "annotated.mp4")?.url;
  const sources = { original: answer.source_url, annotated: url(answer.results) };
  const renew = async () => {
    const fresh = await files.load().catch(() => null);
    if (fresh) Object.assign(sources, { original: fresh.source_url, annotated: url(fresh.results) });
  };
  const tracks = new Tracks(job.job_id, manifest, signal, () => { people.measure(); player.tell(); });
  const player = new Player(sources, tracks, manifest, renew, signal);
  const people = new People(player, tracks, manifest);
  const view = new ViewPanel(player, tracks);
  const main = [player.element, people.element];
  if (manifest.options.kinematics && manifest.tracks.length) main.push(new Angles(job.job_id, player, manifest, signal).element);
  columns.append(h("div", { class: "main" }, main), h("div", { class: "side" }, files.element, about(manifest), keys()));
  player.element.append(view.element);
  player.tell();
  keyboard(player, people, view, signal);
  signal.addEventListener("abort", () => player.video.removeAttribute("src"));
  return (time) => { player.seek(time); player.element.scrollIntoView({ block: "nearest" }); };
}

function pictures({ results }) {
  const shown = results.filter((one) => one.media_type.startsWith("image/"));
  if (!shown.length) return null;
  return h("section", { class: "card", "aria-labelledby": "pictures-title" }, h("h2", { id: "pictures-title" }, "Pictures"),
    h("div", { class: "gallery" }, shown.map((one) => h("a", { href: one.url, rel: "noreferrer" }, h("img", { src: one.url, alt: one.name, loading: "lazy" })))));
}

function about(manifest) {
  const { options, model } = manifest;
  const facts = [
    ["Picture", manifest.display_width && `${manifest.display_width} × ${manifest.display_height}${manifest.frame_rate ? `, ${+manifest.frame_rate.toFixed(2)} fps` : ""}${manifest.variable_frame_rate ? ", variable" : ""}`],
    ["Length", manifest.duration_s && `${span(manifest.duration_s)}, ${count(manifest.frames)} frames`],
    ["Codec", manifest.codec && [manifest.codec, manifest.hdr, manifest.interlaced && "interlaced", manifest.has_audio && "sound"].filter(Boolean).join(", ")],
    ["Model", model.name && `${model.name}, ${options.quality ?? "fast"}`],
    ["Style", options.style?.join(", ")],
    ["Smoothing", options.smooth && `${title(options.smooth)}${options.smooth === "butterworth" ? `, ${options.cutoff_hz} Hz` : ""}`],
    ["Version", manifest.software_version],
    ["Job", h("code", {}, manifest.job_id)],
  ].filter(([, value]) => value);
  return h("section", { class: "card", "aria-labelledby": "about-title" }, h("h2", { id: "about-title" }, "About"),
    h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
}
