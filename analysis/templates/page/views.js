// A view is what the selectors say, under a name; as YAML it goes into the study file.
const text = (value) => JSON.stringify(value); // a YAML text in double quotes

// Levels of the factors that are not shown whole.
function shownLevels(view) {
  return DATA.factors.flatMap(({ name, levels }) => {
    const shown = view.variants[name] ?? levels;
    return shown.length === levels.length ? [] : shown.map((level) => `${name}=${level}`);
  });
}

function viewLines(view) {
  const lines = [`name: ${text(view.name)}`, `figure: ${view.figure}`];
  if (view.figure === "scatter") lines.push(`x: ${text(view.x)}`);
  lines.push(`y: ${text(view.y)}`);
  if (view.log.length) lines.push(`log: [${view.log.join(", ")}]`);
  if (view.device != null) lines.push(`device: ${text(view.device)}`);
  const levels = shownLevels(view);
  if (levels.length) lines.push(`variants: [${levels.map(text).join(", ")}]`);
  return lines;
}

function viewsAsYaml(views) {
  const blocks = views.map((view) => `    - ${viewLines(view).join("\n      ")}\n`);
  return `report:\n  views:\n${blocks.join("")}`;
}
