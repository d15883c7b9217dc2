// The contents follow the scroll; the arrow keys go from tap to tap.
{
  const contents = document.querySelector("nav.contents");
  const links = new Map([...contents.querySelectorAll("a[href^='#']")].map((link) => [decodeURIComponent(link.hash.slice(1)), link]));
  const places = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  const taps = [...document.querySelectorAll("article.tap")];
  let current = null;

  const mark = (place) => {
    if (place === current) return;
    links.get(current?.id)?.removeAttribute("aria-current");
    current = place;
    const link = links.get(place?.id);
    if (!link) return;
    link.setAttribute("aria-current", "location");
    // Within its own list alone: the page stays where its reader has it.
    const list = link.closest(".taps");
    if (list) list.scrollTop = link.offsetTop - list.offsetTop - list.clientHeight / 2;
  };

  // The last one that began above the upper third of the window.
  const follow = () => {
    const line = innerHeight / 3;
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (places[middle].getBoundingClientRect().top <= line) low = middle + 1;
      else high = middle;
    }
    mark(places[low - 1] ?? null);
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      follow();
    });
  }, { passive: true });
  follow();

  const own = "input, select, textarea, summary, pre, dialog, .scroll, .taps, [role=slider]";
  addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.target.closest?.(own)) return;
    const at = taps.indexOf(current);
    const next = at < 0 ? taps[step > 0 ? 0 : -1] : taps[at + step];
    if (!next) return;
    event.preventDefault();
    location.hash = next.id.split("/").map(encodeURIComponent).join("/");
    next.querySelector("h3 a").focus({ preventScroll: true });
  });
  document.querySelector(".keys-hint").hidden = false;
}
