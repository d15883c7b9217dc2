// A button that copies, where the text can be selected by hand anyway.
for (const button of document.querySelectorAll("button[data-copy]")) {
  const text = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(text);
    let done = false;
    try {
      await navigator.clipboard.writeText(text.textContent);
      done = true;
    } catch (refused) {
      // Pages from a file may not reach the clipboard; then the old way copies what is selected.
      done = document.execCommand("copy");
    }
    button.textContent = done ? "Copied" : "Selected: copy it with the keyboard";
    setTimeout(() => (button.textContent = "Copy"), 2500);
  });
}
