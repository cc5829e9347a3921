// The drawing itself: points or bars with their intervals, as SVG that stands alone when saved.
const MOST_LABELS = 16; // more names than this cover each other
const MOST_BARS = 60;
const INK = "#1a1a1a";
const GRID = "#dddddd";

const turned = (corners, radius, from = 0) =>
  Array.from({ length: corners }, (_, i) => {
    const angle = from + (2 * Math.PI * i) / corners;
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  });
const PLUS = [[-1, -3], [1, -3], [1, -1], [3, -1], [3, 1], [1, 1], [1, 3], [-1, 3], [-1, 1], [-3, 1], [-3, -1], [-1, -1]]
  .map(([x, y]) => [x / 3, y / 3]);
const slanted = PLUS.map(([x, y]) => [(x - y) * 0.74, (x + y) * 0.74]);
const MARKS = { // as matplotlib calls them, so that a variant looks as in the study's figures
  "o": turned(24, 1), "s": turned(4, 1.2, Math.PI / 4), "^": turned(3, 1.25), "D": turned(4, 1.25),
  "v": turned(3, 1.25, Math.PI), "P": PLUS.map(([x, y]) => [x * 1.2, y * 1.2]), "X": slanted,
  "<": turned(3, 1.25, -Math.PI / 2), ">": turned(3, 1.25, Math.PI / 2), "p": turned(5, 1.15), "h": turned(6, 1.15),
};

function drawMark(x, y, [color, marker], size = 5, attributes = {}) {
  const corners = (MARKS[marker] ?? MARKS.o).map(([a, b]) => `${(x + a * size).toFixed(2)},${(y + b * size).toFixed(2)}`);
  return draw("polygon", { points: corners.join(" "), fill: color, stroke: "#ffffff", "stroke-width": 0.7, ...attributes });
}

const line = (x1, y1, x2, y2, stroke, attributes = {}) => draw("line", { x1, y1, x2, y2, stroke, ...attributes });
const label = (x, y, text, attributes = {}) => draw("text", { x, y, fill: INK, "font-size": 12, ...attributes }, text);
const hasInterval = (value) => value[1] != null && value[2] != null;
const ends = (value) => (hasInterval(value) ? [value[0], value[1], value[2]] : [value[0]]);
const words = (value) => (hasInterval(value) ? `${plain(value[0])} [${plain(value[1])}, ${plain(value[2])}]` : plain(value[0]));

// An interval with caps; its ends are kept as data, to be read back.
function drawInterval(place, across, value, isUpright, color) {
  if (!hasInterval(value)) return null;
  const [low, high] = [place(value[1]), place(value[2])];
  const part = (a1, b1, a2, b2) => (isUpright ? line(b1, a1, b2, a2, color) : line(a1, b1, a2, b2, color));
  return draw("g", { class: isUpright ? "interval-y" : "interval-x", "stroke-width": 1.2, "data-low": value[1], "data-high": value[2] },
    part(low, across, high, across), part(low, across - 3, low, across + 3), part(high, across - 3, high, across + 3));
}

function drawAxes(root, x, y, area, titles) {
  const { left, right, top, bottom } = area;
  for (const value of x?.ticks ?? []) {
    const at = x.place(value);
    root.append(line(at, top, at, bottom, GRID),
      label(at, bottom + 16, plain(value), { "text-anchor": "middle", class: "tick-x", "data-value": value }));
  }
  for (const value of y?.ticks ?? []) {
    const at = y.place(value);
    root.append(line(left, at, right, at, GRID),
      label(left - 6, at + 4, plain(value), { "text-anchor": "end", class: "tick-y", "data-value": value }));
  }
  root.append(line(left, top, left, bottom, INK), line(left, bottom, right, bottom, INK));
  root.append(label((left + right) / 2, bottom + 34, titles.x, { "text-anchor": "middle", class: "title-x" }));
  if (titles.y) {
    const middle = (top + bottom) / 2;
    root.append(label(12, middle, titles.y, { "text-anchor": "middle", transform: `rotate(-90 12 ${middle})`, class: "title-y" }));
  }
}

function newDrawing(width, height, title) {
  return draw("svg", { xmlns: SVG, viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": title,
    "font-family": "system-ui, sans-serif" }, draw("rect", { width, height, fill: "#ffffff" }));
}

function pointGroup(point, numbers) {
  const told = [numbers, ...point.remarks].join("; ");
  return draw("a", { href: `#cell-${point.cell}`, class: "point", "data-cell": point.cell, "aria-label": told },
    draw("title", {}, told));
}

function drawScatter(points, titles, isLog, width) {
  const height = Math.round(Math.min(460, Math.max(300, width * 0.62)));
  const area = { left: 58, right: width - 14, top: 14, bottom: height - 44 };
  const x = makeScale(points.flatMap((p) => ends(p.x)), isLog.x, area.left, area.right);
  const y = makeScale(points.flatMap((p) => ends(p.y)), isLog.y, area.bottom, area.top);
  const root = newDrawing(width, height, `${titles.y} against ${titles.x}`);
  drawAxes(root, x, y, area, titles);
  for (const point of points) {
    const [px, py] = [x.place(point.x[0]), y.place(point.y[0])];
    const group = pointGroup(point, `${point.label}: ${titles.y} ${words(point.y)}; ${titles.x} ${words(point.x)}`);
    const bars = [drawInterval(x.place, py, point.x, false, point.look[0]), drawInterval(y.place, px, point.y, true, point.look[0])];
    group.append(...bars.filter(Boolean), drawMark(px, py, point.look, 5, { class: "mark", "data-x": point.x[0], "data-y": point.y[0], "data-px": px, "data-py": py }));
    root.append(group);
  }
  if (points.length <= MOST_LABELS) addLabels(root, points, x, y, area);
  return root;
}

// Each name takes the first of eight places around its point that covers least of what is there.
function addLabels(root, points, x, y, area) {
  const around = (xs, ys) => [Math.min(...xs) - 5, Math.min(...ys) - 5, Math.max(...xs) + 5, Math.max(...ys) + 5];
  const taken = points.flatMap((p) => {
    const [px, py] = [x.place(p.x[0]), y.place(p.y[0])];
    return [around(ends(p.x).map(x.place), [py]), around([px], ends(p.y).map(y.place))];
  });
  const covered = (box) => taken.reduce((sum, other) => sum
    + Math.max(0, Math.min(box[2], other[2]) - Math.max(box[0], other[0]))
    * Math.max(0, Math.min(box[3], other[3]) - Math.max(box[1], other[1])), 0);
  const outside = (box) => Math.max(0, area.left - box[0]) + Math.max(0, box[2] - area.right)
    + Math.max(0, area.top - box[1]) + Math.max(0, box[3] - area.bottom);
  for (const point of points) {
    const [px, py, length] = [x.place(point.x[0]), y.place(point.y[0]), point.label.length * 6];
    const boxes = [[8, -8], [-8 - length, -8], [8, -20], [-8 - length, -20], [8, 6], [-8 - length, 6], [-length / 2, -24], [-length / 2, 10]]
      .map(([dx, dy]) => [px + dx, py + dy, px + dx + length, py + dy + 14]);
    const costs = boxes.map((box) => covered(box) + 40 * outside(box));
    const box = boxes[costs.indexOf(Math.min(...costs))];
    taken.push(box);
    root.append(label(box[0], box[1] + 11, point.label, { "font-size": 11, class: "name" }));
  }
}

// Bars start at zero; a log axis has none, so there each value is a mark.
function drawBars(points, titles, isLog, width) {
  const shown = points.slice(0, MOST_BARS);
  const longest = Math.max(...shown.map((p) => p.label.length));
  const left = Math.round(Math.min(width * 0.42, 16 + longest * 6.4));
  const height = 20 + shown.length * 22 + 44;
  const area = { left, right: width - 16, top: 12, bottom: height - 44 };
  const x = makeScale(shown.flatMap((p) => ends(p.y)), isLog.y, area.left, area.right, !isLog.y);
  const root = newDrawing(width, height, titles.y);
  drawAxes(root, x, null, area, { x: titles.y });
  shown.forEach((point, row) => {
    const middle = area.top + 15 + row * 22;
    const at = x.place(point.y[0]);
    const group = pointGroup(point, `${point.label}: ${words(point.y)}`);
    const data = { class: "mark", "data-y": point.y[0], "data-px": at };
    if (isLog.y) {
      group.append(drawMark(at, middle, point.look, 5, data));
    } else {
      const zero = x.place(0);
      group.append(draw("rect", { x: Math.min(zero, at), width: Math.abs(at - zero), y: middle - 7, height: 14, fill: point.look[0], "fill-opacity": 0.6, ...data }));
    }
    const interval = drawInterval(x.place, middle, point.y, false, INK);
    if (interval) group.append(interval);
    const most = Math.floor((left - 12) / 6.2);
    const name = point.label.length > most ? `${point.label.slice(0, most - 1)}…` : point.label;
    root.append(group, label(left - 6, middle + 4, name, { "text-anchor": "end", "font-size": 11 }));
  });
  return root;
}
