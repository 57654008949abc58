// The page of one job.

import { call, ended, follow, get, post } from "./api.js";
import { ask, h, icon, note, say } from "./dom.js";
import { ago, counted, parts, span, title, when } from "./format.js";
import { Progress, share } from "./progress.js";
import { showResult } from "./result.js";
import { badge } from "./state.js";

const SAID_EVERY = 0.25;

/** Fill `main` with a job and keep it current until `signal` stops it. */
export async function showJob(main, id, signal) {
  const head = h("div", { class: "head" });
  const body = h("div", { class: "body", "aria-busy": "true" });
  main.append(h("a", { class: "crumb", href: "#/" }, icon("left"), "All jobs"), head, body);
  const progress = new Progress();
  let said = -1, headed = "";
  const news = (job) => {
    document.title = `${parts(job.uri).name} – posefleet`;
    const facts = JSON.stringify([job.state, job.frames, job.tracks, job.ended_s]);
    if (facts !== headed) renew(head, heading(job));
    headed = facts;
    if (ended(job)) return;
    if (!progress.element.isConnected) body.replaceChildren(progress.element, h("p", { class: "muted small" }, "The result appears here as soon as the job has ended."));
    progress.show(job);
    const part = share(job);
    if (part !== null && Math.floor(part / SAID_EVERY) !== said) {
      said = Math.floor(part / SAID_EVERY);
      say(`${title(job.state)}, ${Math.round(100 * part)} percent done`);
    }
  };
  try {
    let job = await get(`jobs/${id}`, signal);
    const waited = !ended(job);
    news(job);
    if (waited) await follow(id, (latest) => { job = latest; news(latest); }, signal);
    if (waited) say(`The job has ended: ${job.state}`);
    body.replaceChildren();
    await showResult(body, job, signal);
    body.removeAttribute("aria-busy");
  } catch (error) {
    if (!signal.aborted) body.replaceChildren(h("section", { class: "card notice bad", role: "alert" }, h("p", {}, error.status === 404 ? "There is no such job, or it is somebody else's." : `This job cannot be shown: ${error.message}`)));
  }
}

/** Put new children in place of the old ones; a focus on the button stays on the button. */
function renew(head, children) {
  const focused = head.contains(document.activeElement);
  head.replaceChildren(...children);
  if (focused) head.querySelector("button").focus();
}

function heading(job) {
  const { name, folder } = parts(job.uri);
  const facts = [`submitted ${ago(job.created_s)}`];
  if (job.ended_s > job.created_s + 1) facts.push(`took ${span(job.ended_s - job.created_s)}`);
  if (job.frames) facts.push(counted(job.frames, job.pictures ? "picture" : "frame"));
  if (job.tracks) facts.push(counted(job.tracks, "person", "people"));
  if (job.submitter) facts.push(`by ${job.submitter}`);
  const button = (text, kind, act) => h("button", { type: "button", class: kind, onclick: act }, text);
  return [
    h("div", { class: "row wrap" }, h("h1", { title: job.uri }, name), badge(job), h("span", { class: "grow" }),
      ended(job) ? button("Delete", "plain danger-text", () => remove(job)) : button("Cancel job", "plain", () => cancel(job))),
    h("p", { class: "muted small numbers", title: `${folder} · ${when(job.created_s)}` }, facts.join(" · ")),
  ];
}

async function cancel(job) {
  if (!(await ask("Cancel this job?", "What is done so far is discarded. The video itself stays.", "Cancel job"))) return;
  await post(`jobs/${job.job_id}/cancel`).catch((error) => note(`That did not work: ${error.message}`, "bad"));
}

async function remove(job) {
  if (!(await ask("Delete this job?", "All of its results are deleted and cannot be brought back. The video itself stays.", "Delete job"))) return;
  try {
    await call("DELETE", `jobs/${job.job_id}`);
    note(`${parts(job.uri).name} is deleted.`);
    location.hash = "#/";
  } catch (error) {
    note(`That did not work: ${error.message}`, "bad");
  }
}
