// A job's state, as a word with a sign.

import { h, icon } from "./dom.js";
import { title } from "./format.js";

export const STATES = ["queued", "planning", "inferring", "stitching", "rendering", "publishing", "succeeded", "partial", "failed", "cancelled"];
const KIND = { queued: "queued", succeeded: "succeeded", partial: "partial", failed: "failed", cancelled: "cancelled" };

export function badge(job) {
  const kind = KIND[job.state] ?? "running";
  return h("span", { class: `badge ${kind}` }, icon(kind), title(job.state));
}
