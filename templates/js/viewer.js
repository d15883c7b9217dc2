// One channel, as large as the window allows: beside the photographs and over them.
{
  const dialog = document.getElementById("viewer");
  const title = document.getElementById("viewer-title");
  const facts = document.getElementById("viewer-facts");
  const opacity = document.getElementById("viewer-opacity");
  const pile = Object.fromEntries([...dialog.querySelectorAll("[data-pile]")].map((box) => [box.dataset.pile, box]));
  const [before, after] = dialog.querySelectorAll("[data-step]");
  let shown = null;

  const blend = () => pile.over.style.setProperty("--opacity", opacity.value / 100);
  const show = (channel) => {
    shown = channel;
    const figure = channel.closest("figure.maps");
    const all = [...figure.querySelectorAll(".channel")];
    const tap = channel.closest("article.tap").querySelector("h3 a").textContent;
    const map = () => channel.querySelector("img").cloneNode();
    const photographs = () => {
      const copy = channel.parentElement.querySelector(".photos").cloneNode(true);
      copy.querySelectorAll(".over").forEach((over) => over.remove());
      return copy;
    };
    title.textContent = `${tap}, channel ${channel.querySelector("b").textContent}`;
    facts.textContent = `${channel.title}; ${channel.dataset.rank}`;
    dialog.classList.toggle("signed", figure.classList.contains("signed"));
    dialog.classList.toggle("unsigned", figure.classList.contains("unsigned"));
    const image = channel.querySelector("img");
    dialog.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
    pile.photographs.replaceChildren(photographs());
    pile.map.replaceChildren(map());
    const over = map();
    over.alt = "";
    pile.over.replaceChildren(photographs(), over);
    // A button that is disabled would lose the focus.
    before.setAttribute("aria-disabled", channel === all[0]);
    after.setAttribute("aria-disabled", channel === all.at(-1));
    dialog.querySelector(".address").href = channel.hash;
    blend();
  };
  const open = (channel) => {
    show(channel);
    if (!dialog.open) dialog.showModal();
  };
  const step = (by) => {
    const all = [...shown.closest("figure.maps").querySelectorAll(".channel")];
    const next = all[all.indexOf(shown) + by];
    if (next) show(next);
  };

  opacity.addEventListener("input", blend);
  before.addEventListener("click", () => step(-1));
  after.addEventListener("click", () => step(1));
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.querySelector(".address").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("keydown", (event) => {
    if (event.target === opacity || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) step(by);
  });
  dialog.addEventListener("close", () => shown?.focus());
  document.addEventListener("click", (event) => {
    const channel = event.target.closest("a.channel");
    if (!channel || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(channel);
  });
}
