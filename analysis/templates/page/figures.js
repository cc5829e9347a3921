// Figures enlarge in a dialog: its Escape, focus and backdrop are the browser's own.
const viewer = one("#viewer");
const enlarged = one("#enlarged");

function enlarge(figure) {
  const image = one("img", figure);
  enlarged.replaceChildren(make("img", { src: image.src, alt: image.alt }));
  one("#viewer-caption").textContent = one("figcaption", figure).textContent;
  enlarged.classList.remove("closer");
  viewer.showModal();
}

all(".enlarge").forEach((opener) =>
  opener.addEventListener("click", () => enlarge(opener.closest("figure"))));
one("#closer").addEventListener("click", () => enlarged.classList.toggle("closer"));
one("#close").addEventListener("click", () => viewer.close());
viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
