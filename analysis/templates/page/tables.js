// Tables: sort by a heading, filter by words, export what is shown as LaTeX and CSV.
const MOST_ROWS = 40; // shown at once, until all are asked for
const FEW_ROWS = 5; // a table that needs no filter

function shownText(cell) {
  if (!one("sup", cell)) return cell.textContent.trim();
  const copy = cell.cloneNode(true);
  all("sup", copy).forEach((mark) => mark.remove());
  return copy.textContent.trim();
}

// "−1.2 [−2, 0]" -> -1.2; "3 of 5" -> 3; "124 k" -> 124000; text -> NaN.
const PREFIX = { k: 1e3, M: 1e6, G: 1e9, T: 1e12 };
function leadingNumber(text) {
  const found = /^[<>≈]?\s*([+\-\u2212]?[\d,]*\.?\d+)(?:\s*([kMGT])\b)?/.exec(text);
  if (!found) return NaN;
  return Number(found[1].replaceAll(",", "").replace("\u2212", "-")) * (PREFIX[found[2]] ?? 1);
}

// Numbers before words, words by the alphabet, what is empty or "–" last, whichever the direction.
function compareTexts(a, b, sign) {
  const empty = (text) => text === "" || text === "\u2013";
  if (empty(a) || empty(b)) return empty(a) - empty(b);
  const [x, y] = [leadingNumber(a), leadingNumber(b)];
  if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
  if (!Number.isNaN(x)) return sign * (x - y);
  return sign * a.localeCompare(b, "en", { numeric: true });
}

class SortedTable {
  constructor(block) {
    this.block = block;
    this.name = block.dataset.name;
    this.table = one("table", block);
    this.body = one("tbody", block);
    this.rows = all("tr", this.body).map((row, place) => {
      const texts = all("td", row).map(shownText);
      return { row, place, texts, words: texts.join(" ").toLowerCase() };
    });
    this.order = [...this.rows];
    this.query = "";
    this.isWhole = this.rows.length <= MOST_ROWS;
    this.addHeadings();
    this.addTools();
    this.show();
  }

  addHeadings() {
    all("th", this.table).forEach((heading, column) => {
      heading.scope = "col";
      const text = heading.textContent;
      heading.dataset.heading = text; // what is printed
      heading.replaceChildren(
        button(text, () => this.sort(column), { class: "sort", title: "Sort by this column" }));
    });
  }

  addTools() {
    const tools = make("div", { class: "tools" });
    if (this.rows.length > FEW_ROWS) {
      const label = `Filter the rows of table ${this.name}`;
      const input = make("input", { type: "search", placeholder: "Filter rows", "aria-label": label });
      input.addEventListener("input", () => { this.query = input.value; this.show(); });
      tools.append(input);
    }
    this.note = make("span", { class: "small", "aria-live": "polite" });
    this.more = button("", () => { this.isWhole = !this.isWhole; this.show(); });
    tools.append(this.note, this.more);
    if (DATA.latex[this.name]) {
      tools.append(
        button("Copy LaTeX", () => copy(this.latex())),
        button("LaTeX", () => download(`${this.name}.tex`, "text/x-tex", this.latex()),
          { title: "Save the rows as shown, as LaTeX (booktabs)" }));
    }
    tools.append(button("CSV", () => download(`${this.name}.csv`, "text/csv", this.csv()),
      { title: "Save the rows as shown, as CSV" }));
    one(".scroll", this.block).before(tools);
  }

  // First click: ascending; then descending; then the order of the study.
  sort(column) {
    const headings = all("th", this.table);
    const last = headings[column].getAttribute("aria-sort");
    headings.forEach((heading) => heading.removeAttribute("aria-sort"));
    const next = { ascending: "descending", descending: null }[last] ?? (last ? null : "ascending");
    if (next) headings[column].setAttribute("aria-sort", next);
    const sign = next === "descending" ? -1 : 1;
    this.order = [...this.rows].sort((a, b) =>
      (next ? compareTexts(a.texts[column], b.texts[column], sign) : 0) || a.place - b.place);
    this.body.append(...this.order.map((one) => one.row));
    this.show();
  }

  // All rows that pass the filter, in the order shown.
  passing() {
    const words = this.query.toLowerCase().split(/\s+/).filter(Boolean);
    return this.order.filter((one) => words.every((word) => one.words.includes(word)));
  }

  show() {
    const passing = this.passing();
    const shown = new Set(this.isWhole ? passing : passing.slice(0, MOST_ROWS));
    for (const one of this.rows) one.row.hidden = !shown.has(one);
    const total = this.rows.length;
    const folded = passing.length - shown.size;
    this.note.textContent = passing.length < total ? `${passing.length} of ${counted(total, "row")}` : "";
    if (folded) this.note.textContent = `${shown.size} of ${counted(passing.length, "row")}; exports hold all of them`;
    this.more.hidden = passing.length <= MOST_ROWS;
    this.more.textContent = folded ? `Show all ${passing.length.toLocaleString("en")}` : `Show ${MOST_ROWS}`;
  }

  latex() {
    const { before, rows, after } = DATA.latex[this.name];
    return before + this.passing().map((one) => `${rows[one.place]}\n`).join("") + after;
  }

  csv() {
    const notes = new Map(all(".notes p", this.block).flatMap((line) => {
      const mark = one("sup", line);
      return mark ? [[mark.textContent, line.textContent.slice(mark.textContent.length).trim()]] : [];
    }));
    const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const header = all("th", this.table).map((heading) => heading.textContent);
    const lines = [notes.size ? [...header, "notes"] : header];
    for (const { row, texts } of this.passing()) {
      const marks = all("td sup", row).flatMap((mark) => mark.textContent.split(","));
      const said = [...new Set(marks)].map((mark) => notes.get(mark)).filter(Boolean).join("; ");
      lines.push(notes.size ? [...texts, said] : texts);
    }
    return lines.map((line) => `${line.map(quoted).join(",")}\n`).join("");
  }
}

const TABLES = new Map(all(".table-block").map((block) => [block.dataset.name, new SortedTable(block)]));

// Rows of the main table lead to their cells.
const main = TABLES.get("table");
if (main && main.rows.length === DATA.cells.length) {
  main.rows.forEach(({ row }, place) => {
    const first = one("td", row);
    const link = make("a", { href: `#cell-${place}` });
    link.append(...first.childNodes);
    first.append(link);
  });
}
