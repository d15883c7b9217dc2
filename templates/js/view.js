// Remembers how a reader looks at reports. The choices themselves are the style sheet's.
for (const choice of document.querySelectorAll(".view input")) {
  const key = `fmreport.${choice.name}`;
  try {
    // What the colours span is a matter of each report.
    if (choice.name !== "scale" && localStorage.getItem(key) === choice.value) choice.checked = true;
    choice.addEventListener("change", () => localStorage.setItem(key, choice.value));
  } catch (refused) {
    // A browser that keeps nothing for files: the choice holds until the page is left.
    if (!(refused instanceof DOMException)) throw refused;
  }
}
