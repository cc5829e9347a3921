// Small words for the document. Text from data goes in as text, never as markup.
const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const DATA = JSON.parse(one("#data").textContent);
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

const make = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);
const draw = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);
const button = (text, onclick, attributes = {}) =>
  make("button", { type: "button", onclick, ...attributes }, text);

function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// A page from disk may not be allowed the clipboard: then the text is selected, to be copied by hand.
async function copy(text, area) {
  try {
    await navigator.clipboard.writeText(text);
    say("Copied.");
  } catch {
    area?.select();
    say(area ? "Selected: copy it with the keyboard." : "The browser does not let this page copy.");
  }
}

let silence = 0;
function say(text) {
  one("#said").textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => { one("#said").textContent = ""; }, 4000);
}

const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
