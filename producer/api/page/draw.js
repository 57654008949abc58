// Draw people on a canvas, in the colours that annotated videos have.

const COLOURS = [[230, 60, 60], [60, 140, 240], [60, 190, 90], [240, 190, 40], [170, 90, 220], [40, 200, 200], [240, 120, 180], [150, 150, 60]];
const LEAST = 0.2, FULL = 0.5, FAINT = 0.3;
const HIPS = [11, 12];
export const TRAIL_S = 3;

/** The colour of a person, the same in every frame and video. */
export const colour = (id) => `rgb(${COLOURS[(((id ?? 1) - 1) % COLOURS.length + COLOURS.length) % COLOURS.length].join(" ")})`;

/**
 * Draw one frame.
 * scene: frame, trail (frames before it, the oldest first), place {x, y, width, height, scale} of the picture on the
 * canvas, styles (a Set), hidden (a Set of ids), skeleton (pairs of keypoints).
 */
export function draw(context, scene) {
  const { place, styles } = scene;
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  if (styles.has("black")) {
    context.fillStyle = "#000";
    context.fillRect(place.x, place.y, place.width, place.height);
  }
  const pen = Math.max(2.1 * devicePixelRatio, Math.max(place.width, place.height) / 320);
  const people = (scene.frame?.people ?? []).filter((one) => !scene.hidden.has(one.id));
  context.lineCap = context.lineJoin = "round";
  if (styles.has("trails")) trails(context, scene, pen);
  for (const person of people) {
    const points = placed(person.k, place);
    if (styles.has("boxes")) box(context, points, colour(person.id), pen);
    if (styles.has("skeleton")) skeleton(context, points, scene.skeleton, colour(person.id), pen);
  }
  if (styles.has("numbers")) for (const person of people) number(context, placed(person.k, place), person.id, pen);
  context.globalAlpha = 1;
}

function placed(k, place) {
  const points = [];
  for (let at = 0; at < k.length; at += 3) {
    if (k[at] === null || !(k[at + 2] >= LEAST)) points.push(null);
    else points.push({ x: place.x + k[at] * place.scale, y: place.y + k[at + 1] * place.scale, sure: Math.min(1, Math.max(FAINT, k[at + 2] / FULL)) });
  }
  return points;
}

function skeleton(context, points, limbs, style, pen) {
  const known = limbs.filter(([a, b]) => points[a] && points[b]);
  for (const [width, ink] of [[2.1 * pen, "rgb(0 0 0 / 0.55)"], [1.15 * pen, style]]) {
    context.strokeStyle = ink;
    context.lineWidth = width;
    for (const [a, b] of known) {
      context.globalAlpha = Math.min(points[a].sure, points[b].sure);
      line(context, points[a], points[b]);
    }
  }
  for (const point of points) {
    if (!point) continue;
    context.globalAlpha = point.sure;
    dot(context, point, 1.3 * pen, "#fff");
    dot(context, point, 0.85 * pen, style);
  }
}

function line(context, a, b) {
  context.beginPath();
  context.moveTo(a.x, a.y);
  context.lineTo(b.x, b.y);
  context.stroke();
}

function dot(context, { x, y }, radius, style) {
  context.fillStyle = style;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function around(points) {
  const known = points.filter(Boolean);
  if (!known.length) return null;
  const xs = known.map((point) => point.x), ys = known.map((point) => point.y);
  const left = Math.min(...xs), top = Math.min(...ys);
  return { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top };
}

function box(context, points, style, pen) {
  const edge = around(points);
  if (!edge) return;
  const more = 0.06 * Math.max(edge.width, edge.height);
  context.globalAlpha = 1;
  context.strokeStyle = style;
  context.lineWidth = pen;
  context.strokeRect(edge.left - more, edge.top - more, edge.width + 2 * more, edge.height + 2 * more);
}

function number(context, points, id, pen) {
  const edge = around(points);
  if (!edge) return;
  const size = Math.max(11 * devicePixelRatio, 5.5 * pen);
  context.globalAlpha = 1;
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  const width = Math.max(1.5 * size, context.measureText(String(id)).width + 0.9 * size), high = 1.5 * size;
  const x = edge.left + edge.width / 2, y = Math.max(high, edge.top - 0.06 * edge.height - high);
  context.fillStyle = "rgb(0 0 0 / 0.72)";
  context.beginPath();
  context.roundRect(x - width / 2, y - high / 2, width, high, high / 2);
  context.fill();
  context.strokeStyle = colour(id);
  context.lineWidth = 0.16 * size;
  context.stroke();
  context.fillStyle = "#fff";
  context.fillText(String(id), x, y);
}

function trails(context, { trail, place, hidden }, pen) {
  const paths = new Map();
  for (const frame of trail) {
    for (const person of frame.people) {
      if (hidden.has(person.id)) continue;
      const hips = placed(person.k, place).filter((point, index) => point && HIPS.includes(index));
      if (!hips.length) continue;
      const at = { x: mean(hips, "x"), y: mean(hips, "y"), t: frame.t };
      paths.set(person.id, [...(paths.get(person.id) ?? []), at]);
    }
  }
  const now = trail.at(-1)?.t ?? 0;
  for (const [id, path] of paths) {
    context.strokeStyle = colour(id);
    context.lineWidth = 1.2 * pen;
    for (let at = 1; at < path.length; at++) {
      if (path[at].t - path[at - 1].t > 0.5) continue;
      context.globalAlpha = Math.max(0.05, 1 - (now - path[at].t) / TRAIL_S);
      line(context, path[at - 1], path[at]);
    }
  }
}

const mean = (points, axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
