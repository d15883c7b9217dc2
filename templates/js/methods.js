// Browsers unfold what a link leads to; this does it for those that do not yet.
const unfold = () => {
  const target = document.querySelector(":target");
  const folded = target?.closest("details:not([open])");
  if (!folded) return;
  folded.open = true;
  target.scrollIntoView();
};
addEventListener("hashchange", unfold);
addEventListener("load", unfold);
