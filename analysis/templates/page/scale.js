// Axes: where a value stands, and which round values are marked.
const SIZES = [[1e9, " G"], [1e6, " M"], [1e3, " k"]];

// 2e7 -> "20 M": three significant digits, as the study's figures have them.
function plain(value) {
  const [factor, prefix] = SIZES.find(([size]) => Math.abs(value) >= size) ?? [1, ""];
  const scaled = value / factor;
  const digits = scaled === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(scaled)) + 1e-9));
  const text = scaled.toFixed(Math.min(digits, 20));
  return (text.includes(".") ? text.replace(/\.?0+$/, "") : text).replace("-", "\u2212") + prefix;
}

function roundSteps(low, high, wanted) {
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find((step) => step * power >= raw * 0.75);
}

function linearTicks(low, high) {
  const step = roundSteps(low, high, 6);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor((high - first * step) / step + 1e-9) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

const LOG_STEPS = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8]];

function logTicks(low, high) {
  for (const steps of LOG_STEPS) {
    const ticks = [];
    for (let power = -12; power < 16; power += 1) {
      for (const step of steps) {
        const value = Number((step * 10 ** power).toPrecision(12));
        if (value >= low && value <= high) ticks.push(value);
      }
    }
    if (ticks.length >= 3) return ticks;
  }
  return linearTicks(low, high);
}

// From values to pixels between `from` and `to`.
function makeScale(values, isLog, from, to, includeZero = false) {
  let [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  if (isLog) {
    [low, high] = [low / 1.15, high * 1.15];
  } else {
    if (includeZero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    const room = (high - low || Math.abs(high) || 1) * 0.06;
    [low, high] = [includeZero && low === 0 ? 0 : low - room, includeZero && high === 0 ? 0 : high + room];
  }
  const along = isLog ? Math.log : (value) => value;
  const place = (value) => from + ((along(value) - along(low)) / (along(high) - along(low))) * (to - from);
  return { place, isLog, low, high, ticks: isLog ? logTicks(low, high) : linearTicks(low, high) };
}
