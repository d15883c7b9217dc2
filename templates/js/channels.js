// A channel under the pointer or in focus: what it is, in words, and its maps over the photographs beside it.
for (const figure of document.querySelectorAll("figure.maps:not(.attribution)")) {
  const readout = figure.querySelector(".readout");
  const channels = [...figure.querySelectorAll(".channel")];

  const leave = () => {
    figure.querySelectorAll(".photos .over").forEach((over) => over.remove());
    readout.textContent = "";
  };
  const show = (channel) => {
    leave();
    const over = channel.querySelector("img").cloneNode();
    over.alt = "";
    over.classList.add("over");
    channel.parentElement.querySelector(".photos").append(over);
    readout.textContent = `${channel.title}; ${channel.dataset.rank}`;
  };
  figure.addEventListener("pointerover", (event) => {
    const channel = event.target.closest(".channel");
    if (channel) show(channel);
  });
  figure.addEventListener("pointerleave", leave);
  figure.addEventListener("focusin", (event) => {
    if (!event.target.matches(".channel")) return;
    channels.forEach((channel) => (channel.tabIndex = channel === event.target ? 0 : -1));
    show(event.target);
  });
  figure.addEventListener("focusout", leave);

  // One stop for the whole mosaic; within it the arrows lead on.
  channels.forEach((channel, i) => (channel.tabIndex = i ? -1 : 0));
  const wide = () => channels.findIndex((channel) => channel.parentElement !== channels[0].parentElement);
  figure.addEventListener("keydown", (event) => {
    const at = channels.indexOf(event.target);
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const row = wide() < 0 ? channels.length : wide();
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - row, ArrowDown: at + row, Home: 0, End: channels.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const next = channels[to];
    if (!next) return;
    next.focus();
  });
}
