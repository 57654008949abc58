// Elements without a framework.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element: h("button", {class: "plain", onclick: f}, "Text", child). */
export const h = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

/** The same in SVG. */
export const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const ICONS = {
  queued: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11",
  running: "M8 2.5a5.5 5.5 0 1 1-5.5 5.5",
  succeeded: "M3 8.5l3.5 3.5l6.5-8",
  partial: "M8 2.5v7M8 12.5v.500",
  failed: "M4 4l8 8M12 4l-8 8",
  cancelled: "M3.5 8h9",
  play: "M5 3l8 5l-8 5z",
  pause: "M5.5 3v10M10.5 3v10",
  back: "M11 3l-5 5l5 5M4 3v10",
  next: "M5 3l5 5l-5 5M12 3v10",
  sound: "M2.5 6v4h2.5l3.5 3V3L5 6zM11 5.5a3.5 3.5 0 0 1 0 5",
  mute: "M2.5 6v4h2.5l3.5 3V3L5 6zM11 6l3.5 4M14.5 6L11 10",
  full: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
  upload: "M8 11V3M4.5 6L8 2.5L11.5 6M3 13.5h10",
  left: "M10 3L5 8l5 5",
};

/** A line drawing of 16 x 16; decoration, so say in words what it says. */
export function icon(name) {
  const path = svg("path", { d: ICONS[name], "vector-effect": "non-scaling-stroke" });
  return svg("svg", { viewBox: "0 0 16 16", class: `icon ${name}`, "aria-hidden": "true" }, path);
}

/** Let screen readers say `text`, once per text. */
export function say(text) {
  const spoken = document.getElementById("spoken");
  if (spoken.textContent !== text) spoken.textContent = text;
}

/** Show `text` in a corner for some seconds. */
export function note(text, kind = "") {
  const element = h("p", { class: `note ${kind}`, role: kind ? "alert" : "status" }, text);
  document.getElementById("notes").append(element);
  setTimeout(() => element.remove(), 8000);
}

/** Ask before something that cannot be undone; resolves to whether the answer is yes. */
export function ask(title, text, yes) {
  const dialog = document.getElementById("ask");
  document.getElementById("ask-title").textContent = title;
  document.getElementById("ask-text").textContent = text;
  document.getElementById("ask-yes").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Wait, or reject when `signal` says stop. */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => { clearTimeout(timer); reject(signal.reason); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(); }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
