// What is shown: original or annotated, how people are drawn, smoothed or as found.

import { h } from "./dom.js";

const STYLES = [["skeleton", "Skeleton"], ["boxes", "Boxes"], ["trails", "Trails"], ["numbers", "Numbers"], ["black", "Black"]];

export class ViewPanel {
  constructor(player, tracks) {
    this.player = player;
    const both = player.sources.annotated && player.sources.original;
    this.views = ["original", "annotated"].filter((view) => player.sources[view]).map((view) => {
      const radio = h("input", { type: "radio", name: "view", value: view, checked: view === "original", onchange: () => this.show(view) });
      return [view, radio];
    });
    this.styles = h("fieldset", { class: "chips" }, h("legend", { class: "unseen" }, "Draw"), STYLES.map(([style, text]) =>
      h("label", {}, h("input", { type: "checkbox", value: style, checked: player.styles.has(style), onchange: (event) => this.style(style, event.target.checked) }), h("span", {}, text))));
    const raw = (event) => { tracks.raw = !event.target.checked; player.tell(); };
    this.smooth = h("label", { class: "switch" }, h("input", { type: "checkbox", role: "switch", checked: true, onchange: raw }), "Smoothing");
    this.element = h("div", { class: "view" },
      both && h("fieldset", { class: "segments" }, h("legend", { class: "unseen" }, "Video"), this.views.map(([view, radio]) =>
        h("label", {}, radio, h("span", {}, view === "original" ? "Live" : "Annotated")))),
      this.styles, this.smooth);
    player.element.addEventListener("fallback", () => {
      this.views[0][1].disabled = true;
      this.choose("annotated");
    });
    if (!player.sources.original) this.choose("annotated");
  }

  choose(view) {
    for (const [name, radio] of this.views) radio.checked = name === view;
    this.show(view);
  }

  show(view) {
    this.player.load(view);
    this.styles.disabled = this.smooth.firstChild.disabled = view !== "original";
  }

  style(style, on) {
    this.player.styles[on ? "add" : "delete"](style);
    this.player.redraw();
  }
}

/** What the keyboard does, to look up. */
export function keys() {
  const all = [["space", "play, pause"], [", .", "a frame back, on"], ["← →", "5 seconds back, on"], ["[ ]", "slower, faster"], ["1 – 9", "a person off, on"], ["v", "live, annotated"], ["m", "sound"], ["f", "full screen"]];
  return h("section", { class: "card keys", "aria-labelledby": "keys-title" }, h("h2", { id: "keys-title" }, "Keyboard"), h("dl", {}, all.map(([key, what]) => [h("dt", {}, key.split(" ").map((one) => (one === "–" ? "–" : h("kbd", {}, one)))), h("dd", {}, what)])));
}
