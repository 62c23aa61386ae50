// Takes what is typed, asks Python, shows the answer. Knows nothing of units or latencies.
"use strict";

const one = (id) => document.getElementById(id);
const held = (id) => one(id).textContent;
const form = one("asked");
const choices = JSON.parse(held("choices"));

const made = (name, properties = {}, ...inside) => {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...inside);
  return node;
};

const offer = (field, names, chosen) => {
  const box = form.elements[field];
  const kept = names.includes(chosen) ? chosen : names.includes(box.value) ? box.value : names[0];
  box.replaceChildren(...names.map((name) => new Option(name, name, false, name === kept)));
};

// What a model and a template leave to choose from.
const offerChoices = (chosen = {}) => {
  offer("model", Object.keys(choices.models), chosen.model);
  const templates = choices.models[form.elements.model.value];
  offer("template", Object.keys(templates), chosen.template);
  const tiers = templates[form.elements.template.value];
  offer("tier", [...Object.keys(tiers), choices.own], chosen.tier === null ? choices.own : chosen.tier);
  const promise = tiers[form.elements.tier.value];
  one("own").hidden = promise !== undefined;
  // Own limits start from those of the tier that was chosen before.
  for (const [field, value] of Object.entries(promise ?? {})) form.elements[field].value = value;
};

const fill = (values) => {
  for (const [field, value] of Object.entries(values))
    if (form.elements[field] instanceof HTMLInputElement) form.elements[field].value = value;
  offerChoices(values);
};

const asked = () => {
  const fields = Object.fromEntries(new FormData(form));
  const own = fields.tier === choices.own;
  const read = { model: fields.model, template: fields.template, tier: own ? null : fields.tier };
  for (const box of form.querySelectorAll("input"))
    if (own || !one("own").contains(box)) read[box.name] = box.valueAsNumber;
  return read;
};

const cell = (tag, text, numeric) => made(tag, { className: numeric ? "number" : "" }, text);

const table = ({ title, columns, rows, current }) => {
  const head = made("tr", {}, ...columns.map(({ name, numeric }) => cell("th", name, numeric)));
  const body = rows.map((row, index) => {
    const cells = row.map((text, column) => cell(column ? "td" : "th", text, columns[column].numeric));
    if (row.length < columns.length) {
      cells.at(-1).colSpan = columns.length - row.length + 1;
      cells.at(-1).className = "";
    }
    const line = made("tr", {}, ...cells);
    if (index === current) line.setAttribute("aria-current", "true");
    return line;
  });
  const whole = made("table", {}, made("caption", {}, title), made("thead", {}, head), made("tbody", {}, ...body));
  // Wide tables scroll on their own, by keyboard too.
  return made("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: title }, whole);
};

const redraw = (id, ...plots) => {
  one(id).querySelectorAll("svg").forEach((svg) => svg.remove());
  one(id).append(...plots);
};

const drawLatency = ({ points, ttft_error, tpot_error, tiers }) => {
  const of = (title, column, promise, error, axis, height) => panel({
    title, axis, height, log: true, highestX: points.at(-1)[0],
    series: [{ color: 0, error, points: points.map((point) => [point[0], point[column]]) }],
    levels: tiers.filter((tier) => tier[promise] !== null).map((tier) => ({ name: tier.name, y: tier[promise] })),
    dots: tiers.filter((tier) => tier.point).map((tier) => ({ name: tier.name, x: tier.point[0], y: tier.point[column] })),
  });
  redraw("latency", of("TTFT, ms", 1, "ttft_ms", ttft_error, "", 170),
    of("TPOT, ms", 2, "tpot_ms", tpot_error, "requests in flight in one group", 180));
};

const drawCost = ({ title, highest, asked: load, series }) => redraw("cost", panel({
  title, axis: "requests per second", height: 350, log: false, highestX: highest,
  series: series.map(({ name, points }, color) => ({ name, color, points, stairs: true })),
  mark: { x: load, name: "asked" },
}));

const show = (answer) => {
  const bad = new Set(answer.problems.map(({ field }) => field));
  for (const box of form.elements) if (box.name) box.setAttribute("aria-invalid", bad.has(box.name));
  one("problems").replaceChildren(...answer.problems.map(({ text }) => made("li", {}, text)));
  // While a field is being typed into, the last answer stays, and looks like what it is.
  one("answer").toggleAttribute("data-stale", answer.tables.length === 0);
  if (answer.tables.length === 0) return;
  one("result").hidden = !answer.headline;
  one("plots").hidden = !answer.latency;
  one("tables").replaceChildren(...answer.tables.map(table));
  if (answer.headline) {
    for (const id of ["headline", "detail", "basis", "command"]) one(id).textContent = answer[id];
    one("numbers").replaceChildren(...answer.numbers.map(table));
  }
  if (answer.latency) {
    drawLatency(answer.latency);
    drawCost(answer.cost);
    one("cost").hidden = answer.cost.series.length === 0;
  }
};

const worker = new Worker(URL.createObjectURL(new Blob([held("worker")], { type: "text/javascript" })));
let busy = true, changed = true;

// One question at a time: what is typed meanwhile is asked when the answer is here.
const ask = () => {
  one("answer").setAttribute("aria-busy", "true");
  changed = busy;
  if (busy) return;
  busy = true;
  worker.postMessage({ asked: JSON.stringify(asked()) });
};

worker.onmessage = ({ data: { answer, failure } }) => {
  busy = false;
  one("state").textContent = failure ? `The calculator failed: ${failure.trim().split("\n").at(-1)}` : "";
  if (answer) show(answer);
  if (changed) return ask();
  one("answer").setAttribute("aria-busy", "false");
};
worker.onerror = ({ message }) => { one("state").textContent = `Python did not start: ${message}`; };

fill(choices.asked);
show(choices.answer);
form.addEventListener("input", () => { offerChoices(); ask(); });
form.addEventListener("submit", (event) => event.preventDefault());
worker.postMessage({
  files: Object.fromEntries(["wasm", "module", "loader", "stdlib"].map((name) => [name, held(name)])),
  lock: held("lock"),
  entry: choices.entry,
  data: held("offers"),
  sources: Object.fromEntries([...document.querySelectorAll("[data-path]")]
    .map((script) => [script.dataset.path, script.textContent])),
});
