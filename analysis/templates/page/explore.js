// Selectors over the embedded numbers. What is drawn was estimated by the study, not here.
const form = one("#explore-form");
const METRICS = new Map(DATA.metrics.map((metric) => [metric.key, metric]));
const views = [...DATA.views];

const valueOf = (cell, key, device) => cell.values[key] ?? cell.costs[device]?.[key];

function options(select, choices, chosen) {
  select.replaceChildren(...choices.map(([value, name]) => make("option", { value, selected: value === chosen }, name)));
}

function buildForm() {
  const metrics = DATA.metrics.map(({ key, label }) => [key, label]);
  const first = (...keys) => keys.find((key) => METRICS.has(key)) ?? metrics[0][0];
  options(form.elements.x, metrics, first("macs", "parameters"));
  options(form.elements.y, metrics, first("top1", ...metrics.map(([key]) => key).filter((key) => key.startsWith("latency"))));
  options(form.elements.device, DATA.devices.map((name, number) => [String(number), name]), "0");
  one("#device-choice").hidden = DATA.devices.length < 2;
  form.elements.logx.checked = true;
  for (const factor of DATA.factors) one("#levels").append(factorChoice(factor));
  form.addEventListener("input", render);
  form.addEventListener("submit", (event) => { event.preventDefault(); keepView(); });
}

function factorChoice({ name, title, levels }) {
  const boxes = levels.map((level) => {
    const look = name === DATA.series ? DATA.looks[level] : null;
    const sample = look && draw("svg", { width: 14, height: 14, "aria-hidden": "true" }, drawMark(7, 7, look, 5));
    const box = make("input", { type: "checkbox", name: `level:${name}`, value: level, checked: true });
    return make("label", { class: "level" }, box, sample, ` ${level}`);
  });
  const set = (checked) => { boxes.forEach((label) => { one("input", label).checked = checked; }); render(); };
  return make("fieldset", {}, make("legend", {}, title, " ", button("all", () => set(true)), " ", button("none", () => set(false))),
    make("div", { class: "levels" }, ...boxes));
}

function checkedLevels(name) {
  return all("#levels input", form).filter((box) => box.name === `level:${name}` && box.checked).map((box) => box.value);
}

function currentView() {
  const { figure, x, y, logx, logy, device, viewname } = form.elements;
  const log = [logx.checked && figure.value === "scatter" ? "x" : "", logy.checked ? "y" : ""].filter(Boolean);
  const uses = [figure.value === "scatter" ? x.value : "", y.value].some((key) => METRICS.get(key)?.device);
  return {
    name: viewname.value.trim(), figure: figure.value, x: x.value, y: y.value, log,
    device: uses && DATA.devices.length > 1 ? DATA.devices[Number(device.value)] : null,
    variants: Object.fromEntries(DATA.factors.map(({ name }) => [name, checkedLevels(name)])),
  };
}

// What a view names and the records do not have is said; the rest is shown.
function showView(view) {
  const missing = [...(view.figure === "scatter" ? [view.x] : []), view.y].filter((key) => !METRICS.has(key));
  if (view.device != null && !DATA.devices.includes(view.device)) missing.push(view.device);
  form.elements.figure.value = view.figure;
  if (METRICS.has(view.x)) form.elements.x.value = view.x;
  if (METRICS.has(view.y)) form.elements.y.value = view.y;
  form.elements.logx.checked = view.log.includes("x");
  form.elements.logy.checked = view.log.includes("y");
  form.elements.device.value = String(Math.max(0, DATA.devices.indexOf(view.device)));
  form.elements.viewname.value = view.name;
  for (const box of all("#levels input", form)) {
    const shown = view.variants[box.name.slice("level:".length)];
    box.checked = !shown || shown.includes(box.value);
  }
  render();
  if (missing.length) one("#chart-warning").textContent = `This view shows what the records do not have: ${missing.join(", ")}.`;
}

function chosenPoints(view, device) {
  const kept = DATA.factors.map(({ name, levels }) => new Set(view.variants[name].map((level) => levels.indexOf(level))));
  const chosen = DATA.cells.map((cell, number) => ({ cell, number }))
    .filter(({ cell }) => cell.levels.every((level, factor) => level < 0 || kept[factor].has(level)));
  const series = DATA.factors.findIndex(({ name }) => name === DATA.series);
  const shown = [...(view.figure === "scatter" ? [view.x] : []), view.y].map((key) => METRICS.get(key).spread);
  const about = [...(shown.some((spread) => spread.includes("seeds")) ? ["train"] : []),
    ...(shown.some((spread) => spread.includes("rounds")) ? [String(device)] : [])];
  const points = chosen.map(({ cell, number }) => ({
    cell: number, label: cell.label, run: cell.runs[device], remarks: about.flatMap((name) => cell.remarks[name] ?? []),
    look: DATA.looks[DATA.factors[series]?.levels[cell.levels[series]] ?? ""] ?? ["#0072B2", "o"],
    x: view.figure === "scatter" ? valueOf(cell, view.x, device) : null, y: valueOf(cell, view.y, device),
  }));
  return { chosen: chosen.length, known: points.filter((p) => p.y && (p.x || view.figure === "bars")) };
}

function render() {
  const view = currentView();
  const device = Number(form.elements.device.value || 0);
  one("#x-choice").hidden = view.figure === "bars";
  const { chosen, known } = chosenPoints(view, device);
  const onLog = (p) => (!view.log.includes("x") || ends(p.x).every((v) => v > 0)) && (!view.log.includes("y") || ends(p.y).every((v) => v > 0));
  const points = known.filter(onLog);
  const titles = { x: METRICS.get(view.x)?.label, y: METRICS.get(view.y)?.label };
  const isLog = { x: view.log.includes("x"), y: view.log.includes("y") };
  const place = one("#chart");
  const width = Math.max(300, Math.min(860, place.clientWidth || 640));
  const drawing = points.length ? (view.figure === "bars" ? drawBars : drawScatter)(points, titles, isLog, width) : null;
  place.replaceChildren(drawing ?? make("p", {}, "Nothing to draw: no chosen cell has these numbers."));
  one("#chart-caption").textContent = caption(view, points, device);
  one("#chart-warning").textContent = warnings(view, chosen, known, points).join(" ");
  showYaml();
}

function spreadWords(key, values) {
  const metric = METRICS.get(key);
  const counts = values.map((value) => value[3]);
  const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
  const over = (word) => (fewest === most ? counted(most, word) : `${fewest} to ${most} ${word}s`);
  const bare = values.filter((value) => !hasInterval(value)).length;
  const without = bare ? `; ${bare} of ${values.length} without an interval` : "";
  const how = {
    "seeds": most < 2 ? "one seed: no interval" : `mean and 95 % t interval over ${over("seed")}${without}`,
    "rounds": most < 2 ? "one measurement: no interval" : `median and 95 % interval over ${over("timing round")}${without}`,
    "paired seeds": most < 2 ? "one seed: no interval" : `mean and 95 % t interval of differences paired by seed, ${over("seed")}${without}`,
    "paired rounds": `median and 95 % interval of ratios paired by round, ${over("round")}${without}`,
    "none": "counted, without noise",
  }[metric.spread];
  return `${metric.label}: ${how}.`;
}

function caption(view, points, device) {
  if (!points.length) return "";
  const keys = view.figure === "bars" ? ["y"] : ["y", "x"];
  const sentences = keys.map((axis) => spreadWords(view[axis], points.map((p) => p[axis])));
  if (keys.some((axis) => METRICS.get(view[axis]).device)) sentences.push(`Costs on ${DATA.devices[device]}.`);
  return sentences.join(" ");
}

function warnings(view, chosen, known, points) {
  const said = [];
  const axes = view.figure === "bars" ? ["y"] : ["x", "y"];
  if (known.length < chosen) {
    const isCompared = axes.some((axis) => view[axis].includes("to baseline"));
    const why = isCompared ? "; a baseline is not compared with itself" : "";
    said.push(`${chosen - known.length} of ${counted(chosen, "chosen cell")} without these numbers${why}.`);
  }
  if (points.length < known.length) said.push(`${known.length - points.length} have no place on a log axis.`);
  if (view.figure === "bars" && points.length > MOST_BARS) said.push(`The first ${MOST_BARS} of ${points.length}: choose fewer levels.`);
  const remarked = points.filter((p) => p.remarks.length);
  if (remarked.length) {
    said.push(`${remarked.length} of ${counted(points.length, "cell")} with a remark, such as ${remarked[0].label}: ${remarked[0].remarks[0]}.`);
  }
  const runs = new Set(points.map((p) => p.run).filter(Boolean));
  if (runs.size > 1 && axes.some((axis) => METRICS.get(view[axis]).spread === "rounds")) {
    said.push(`Timed in ${runs.size} runs: between these, part of a difference can be the machine's drift.`);
  }
  return said;
}

function keepView() {
  const view = currentView();
  if (!view.name) return say("A view needs a name.");
  if (DATA.factors.some(({ name }) => !view.variants[name].length)) return say("Choose at least one level of each factor.");
  const at = views.findIndex((other) => other.name === view.name);
  if (at < 0) views.push(view);
  else views[at] = view;
  showButtons();
  showYaml();
  one("#yaml-block").open = true;
  return say(`Kept "${view.name}" on this page; save its YAML in the study file to keep it for good.`);
}

function showButtons() {
  one("#views").replaceChildren(...views.map((view) => button(view.name, () => showView(view), { class: "view" })));
}

function showYaml() {
  one("#yaml").value = viewsAsYaml(views.length ? views : [{ ...currentView(), name: form.elements.viewname.value.trim() || "a name" }]);
}

function saveDrawing() {
  const drawing = one("#chart svg");
  if (drawing) download("view.svg", "image/svg+xml", new XMLSerializer().serializeToString(drawing));
}

if (DATA.metrics.length) {
  buildForm();
  showButtons();
  one("#copy-yaml").addEventListener("click", () => copy(one("#yaml").value, one("#yaml")));
  one("#save-yaml").addEventListener("click", () => download("views.yaml", "application/yaml", one("#yaml").value));
  one("#save-svg").addEventListener("click", saveDrawing);
  let last = 0;
  addEventListener("resize", () => { cancelAnimationFrame(last); last = requestAnimationFrame(render); });
  if (views.length) showView(views[0]);
  else render();
}
