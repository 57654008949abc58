// Keys of the player, while no field has the focus.

const LEAP_S = 5;

export function keyboard(player, people, view, signal) {
  const acts = {
    " ": () => player.toggle(),
    ",": () => player.step(-1),
    ".": () => player.step(1),
    ArrowLeft: () => player.seek(player.time - LEAP_S),
    ArrowRight: () => player.seek(player.time + LEAP_S),
    "[": () => player.faster(-1),
    "]": () => player.faster(1),
    v: () => view.choose(player.view === "original" && player.sources.annotated ? "annotated" : "original"),
    m: () => player.mute(),
    f: () => player.fullScreen(),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || taken(event)) return;
    if (/^[1-9]$/.test(event.key)) people.toggleNth(Number(event.key) - 1);
    else if (acts[event.key]) acts[event.key]();
    else return;
    event.preventDefault();
  }, { signal });
}

/** Whether what has the focus wants the key for itself. */
function taken({ key, target }) {
  if (document.querySelector("dialog[open]")) return true;
  const name = target.tagName, type = target.type;
  if (name === "SELECT" || name === "TEXTAREA" || (name === "INPUT" && !["checkbox", "radio", "range"].includes(type))) return true;
  if (key === " ") return ["BUTTON", "SUMMARY", "A"].includes(name) || type === "checkbox" || type === "radio";
  return key.startsWith("Arrow") && (type === "radio" || type === "range");
}
