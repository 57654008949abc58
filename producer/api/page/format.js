// Numbers and times as people read them.

const COUNT = new Intl.NumberFormat("en");
const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

export const count = (value) => COUNT.format(value);
export const counted = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;
export const when = (seconds) => WHEN.format(seconds * 1000);
export const title = (word) => word.charAt(0).toUpperCase() + word.slice(1).replaceAll(/[_-]/g, " ");

/** 3.43 as 0:03.43; with hours where there are some. */
export function clock(seconds, digits = 2) {
  const whole = Math.max(0, Number.isFinite(seconds) ? seconds : 0);
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  const rest = (Math.floor((whole % 60) * 10 ** digits) / 10 ** digits).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export function bytes(size) {
  let value = size, unit = 0;
  for (; value >= 1000 && unit < 4; unit++) value /= 1000;
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

/** How long ago, in one unit. */
export function ago(seconds) {
  const past = Date.now() / 1000 - seconds;
  if (past > 7 * 86400) return DAY.format(seconds * 1000);
  for (const [unit, length] of UNITS) if (past >= length) return AGO.format(-Math.floor(past / length), unit);
  return past < 10 ? "just now" : `${Math.floor(past)} sec. ago`;
}

/** A span of time in words: 2 min 5 s. */
export function span(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
}

/** Last part of an S3 URI, and what comes before it. */
export function parts(uri) {
  const path = uri.replace(/^s3:\/\//, "").replace(/\/$/, "");
  const at = path.lastIndexOf("/");
  return { name: path.slice(at + 1), folder: path.slice(0, at) };
}
