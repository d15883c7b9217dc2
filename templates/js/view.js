// Remembers how a reader looks at reports. The choices themselves are the style sheet's.
{
  // A browser may keep nothing for files: then a choice holds until the page is left.
  const kept = (work) => {
    try {
      return work();
    } catch (refused) {
      if (!(refused instanceof DOMException)) throw refused;
    }
  };
  for (const choice of document.querySelectorAll(".view input")) {
    // What the colours span is a matter of each report.
    if (choice.name === "scale") continue;
    const key = `fmreport.${choice.name}`;
    if (kept(() => localStorage.getItem(key)) === choice.value) choice.checked = true;
    choice.addEventListener("change", () => kept(() => localStorage.setItem(key, choice.value)));
  }
}
