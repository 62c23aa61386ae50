// Draws two kinds of plots as SVG: lines over a logarithmic axis, and stairs over a linear one.
"use strict";

const WIDTH = 460, LEFT = 46, RIGHT = 96, TOP = 30, BOTTOM = 36;

const drawn = (name, attributes = {}, ...inside) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...inside);
  return node;
};

// Round numbers, about four of them, from 0 to just above the highest value.
const linearTicks = (highest) => {
  const rough = (highest || 1) / 4, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) * power;
  return Array.from({ length: Math.ceil((highest || 1) / step) + 1 }, (_, index) => index * step);
};

const powersOfTwo = (highest) =>
  Array.from({ length: Math.ceil(Math.log2(Math.max(2, highest))) + 1 }, (_, index) => 2 ** index);

const shown = (value) => value.toLocaleString("en", { maximumSignificantDigits: 4 });

// Labels at the right end, moved apart where they would overlap.
const spread = (labels, lowest) => {
  labels.sort((one, other) => one.at - other.at);
  labels.forEach((label, index) => { label.y = Math.max(label.at, index ? labels[index - 1].y + 13 : TOP); });
  for (let index = labels.length - 1, limit = lowest; index >= 0; index--, limit -= 13)
    labels[index].y = Math.min(labels[index].y, limit);
  return labels;
};

// Lines with their names at the right end, levels to stay below, dots on lines, and a mark across.
const panel = ({ title, axis, height, log, highestX, series, levels = [], dots = [], mark }) => {
  const ticksX = log ? powersOfTwo(highestX) : linearTicks(highestX);
  const endX = log ? ticksX.at(-1) : highestX, bottom = height - BOTTOM, right = WIDTH - RIGHT;
  const heights = series.flatMap(({ points }) => points.map(([, y]) => y));
  const ticksY = linearTicks(Math.max(0, ...heights, ...levels.map(({ y }) => y)));
  const x = (value) => LEFT + (right - LEFT) * (log ? Math.log2(Math.max(1, value)) / Math.log2(endX) : value / endX);
  const y = (value) => bottom - (bottom - TOP) * Math.min(1, value / ticksY.at(-1));
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": axis ? `${title}, over ${axis}` : title });
  for (const tick of ticksY) svg.append(
    drawn("line", { class: "grid", x1: LEFT, x2: right, y1: y(tick), y2: y(tick) }),
    drawn("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, shown(tick)));
  const every = log ? Math.ceil(ticksX.length / 8) : 1;
  ticksX.forEach((tick, index) => index % every || tick > endX || svg.append(
    drawn("text", { x: x(tick), y: bottom + 15, "text-anchor": "middle" }, shown(tick))));
  svg.append(
    drawn("text", { class: "name", x: 0, y: 11 }, title),
    drawn("text", { x: (LEFT + right) / 2, y: height - 4, "text-anchor": "middle" }, axis));
  const labels = [];
  for (const level of levels) {
    svg.append(drawn("line", { class: "promise", x1: LEFT, x2: right, y1: y(level.y), y2: y(level.y) }));
    labels.push({ at: y(level.y) + 4, text: level.name });
  }
  if (mark) svg.append(
    drawn("line", { class: "asked", x1: x(mark.x), x2: x(mark.x), y1: TOP, y2: bottom }),
    drawn("text", { x: x(mark.x) + 4, y: TOP + 8 }, mark.name));
  for (const { name, color, points, stairs, error } of series) {
    if (error) {
      const edge = (share) => points.map(([px, py]) => `${x(px)},${y(py * (1 + share))}`);
      svg.append(drawn("polygon", { class: "band", points: [...edge(error), ...edge(-error).reverse()].join(" ") }));
    }
    const path = points.map(([px, py], index) => index === 0 ? `M${x(px)},${y(py)}`
      : stairs ? `H${x(px)}V${y(py)}` : `L${x(px)},${y(py)}`).join("");
    svg.append(drawn("path", { class: "line", d: path, style: `stroke: var(--series-${color % 6})`,
      "stroke-dasharray": color < 6 ? "none" : "6 3" }));
    if (name) labels.push({ at: y(points.at(-1)[1]) + 4, text: name, color });
  }
  for (const dot of dots) svg.append(drawn("circle",
    { cx: x(dot.x), cy: y(dot.y), r: 4, style: "fill: var(--series-0)" }, drawn("title", {}, dot.name)));
  for (const { text, color, y: at } of spread(labels, bottom + 4)) svg.append(drawn("text",
    { x: right + 6, y: at, style: color === undefined ? "" : `fill: var(--series-${color % 6})` }, text));
  return svg;
};
