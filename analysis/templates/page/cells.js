// Sections of cells: an address opens its section and all around it; words filter the list.
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let node = target; node; node = node.parentElement) {
    if (node.tagName === "DETAILS") node.open = true;
  }
  target.scrollIntoView();
}

addEventListener("hashchange", openTarget);
if (location.hash) openTarget();
// A second click on the same address changes no hash.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='#']");
  if (link && link.getAttribute("href") === location.hash) openTarget();
});

const cellFilter = one("#cell-filter");
cellFilter?.addEventListener("input", () => {
  const words = cellFilter.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of all(".cell")) {
    const text = one("summary", section).textContent.toLowerCase();
    section.hidden = !words.every((word) => text.includes(word));
  }
});

all(".copy").forEach((opener) =>
  opener.addEventListener("click", () => copy(opener.previousElementSibling.textContent)));
