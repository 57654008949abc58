// Which view the address names.

import { remember, token } from "./api.js";
import { h } from "./dom.js";
import { showJob } from "./job.js";
import { showList } from "./list.js";

const main = document.getElementById("main");
const leave = document.getElementById("leave");
let view = new AbortController();

/** A token in the address is kept for this tab and taken out of the address. */
function takeToken() {
  const found = /^#(?:.*&)?token=([^&]+)/.exec(location.hash);
  if (!found) return;
  remember(decodeURIComponent(found[1]));
  history.replaceState(null, "", "#/");
}

function show() {
  takeToken();
  view.abort();
  view = new AbortController();
  main.replaceChildren();
  leave.hidden = !token();
  document.title = "posefleet";
  const job = /^#\/jobs\/([\w-]+)$/.exec(location.hash);
  if (!token()) return askForToken("");
  if (job) return showJob(main, job[1], view.signal);
  return showList(main, view.signal);
}

function askForToken(why) {
  view.abort();
  leave.hidden = true;
  const field = h("input", { type: "password", id: "token", name: "token", required: true, autocomplete: "current-password", "aria-describedby": "token-hint" });
  const enter = (event) => { event.preventDefault(); remember(field.value.trim()); show(); };
  const form = h("form", { class: "card token", onsubmit: enter },
    h("h1", {}, "Sign in"),
    why && h("p", { class: "bad", role: "alert" }, why),
    h("label", { for: "token" }, "Token"), field,
    h("p", { id: "token-hint", class: "muted small" }, "It is kept until this tab is closed."),
    h("button", { class: "primary" }, "Continue"));
  main.replaceChildren(form);
  field.focus();
}

document.addEventListener("token-refused", () => { remember(null); askForToken("This token is not valid, or no longer."); });
leave.addEventListener("click", () => { remember(null); show(); });
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
addEventListener("hashchange", () => { show(); scrollTo(0, 0); if (token()) main.focus(); });
show();
