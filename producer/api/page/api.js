// The API: requests with a token, errors with a reason, jobs that are followed.

import { pause } from "./dom.js";

const KEY = "posefleet-token";
const FINAL = new Set(["succeeded", "partial", "failed", "cancelled"]);
const POLL_MS = 2000;

export const ended = (job) => FINAL.has(job.state);
export const token = () => sessionStorage.getItem(KEY);

export function remember(value) {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

/** What the API refused, in words. */
export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title || `the server answered ${status}`);
    this.status = status;
  }
}

async function problem(response) {
  const said = await response.json().catch(() => ({}));
  const detail = typeof said.detail === "string" ? said.detail : "";
  if (response.status === 401) document.dispatchEvent(new CustomEvent("token-refused"));
  return new Problem(response.status, said.title, detail);
}

async function request(method, path, { body, signal, accept = "application/json" } = {}) {
  const headers = { Authorization: `Bearer ${token()}`, Accept: accept };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  for (let tries = 0; ; tries++) {
    const response = await fetch(`v1/${path}`, { method, headers, signal, body: body && JSON.stringify(body) });
    if (response.status !== 429 || tries === 5) {
      if (!response.ok) throw await problem(response);
      return response;
    }
    await pause(1000 * (Number(response.headers.get("Retry-After")) || 1), signal);
  }
}

/** One request; the answer's JSON, or nothing where there is none. */
export async function call(method, path, options) {
  const response = await request(method, path, options);
  return response.status === 204 ? null : response.json();
}

export const get = (path, signal) => call("GET", path, { signal });
export const post = (path, body = {}, signal) => call("POST", path, { body, signal });

/** The same, but null where there is no such thing. */
export async function getOrNull(path, signal) {
  try {
    return await get(path, signal);
  } catch (error) {
    if (error.status === 404 || error.status === 409) return null;
    throw error;
  }
}

/** Tell `news` of every change of a job until it has ended: by events, and where they break off, by asking. */
export async function follow(id, news, signal) {
  for (;;) {
    try {
      if (await events(id, news, signal)) return;
    } catch (error) {
      if (signal.aborted || (error instanceof Problem && error.status < 500)) throw error;
    }
    await pause(POLL_MS, signal);
    try {
      const job = await get(`jobs/${id}`, signal);
      news(job);
      if (ended(job)) return;
    } catch (error) {
      if (signal.aborted || (error instanceof Problem && error.status < 500)) throw error;
    }
  }
}

async function events(id, news, signal) {
  const response = await request("GET", `jobs/${id}/events`, { signal, accept: "text/event-stream" });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return false;
    text = (text + value).replaceAll("\r\n", "\n");
    for (let at = text.indexOf("\n\n"); at >= 0; at = text.indexOf("\n\n")) {
      const job = jobOf(text.slice(0, at));
      text = text.slice(at + 2);
      if (job) news(job);
      if (job && ended(job)) return true;
    }
  }
}

function jobOf(event) {
  const lines = event.split("\n");
  if (!lines.includes("event: job")) return null;
  return JSON.parse(lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n"));
}
