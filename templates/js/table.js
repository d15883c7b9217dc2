// Sorts the taps of a table by the value of each cell's data-sort, and leaves out those that a reader does not look for;
// without it they stand in the parts of the model.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  const original = [...table.querySelectorAll("tr.tap-row")];
  const homes = new Map(original.map((row) => [row, row.parentElement]));
  const sorted = table.createTBody();
  const section = table.closest("section");
  const status = section.querySelector("[data-sort-status]");
  const back = section.querySelector("#unsorted");
  const every = section.querySelector("#every-tap");
  const parts = [...table.querySelectorAll(".part input")];
  // Numbers from the largest, names from A: what is looked for first.
  const orders = { number: ["none", "descending", "ascending"], text: ["none", "ascending", "descending"] };
  const words = { none: "in the order of the run" };

  const value = (row, column) => row.cells[column].dataset.sort;
  const isNumeric = (column) => original.every((row) => !Number.isNaN(Number(value(row, column))));
  const next = (column) => {
    const cycle = orders[isNumeric(column) ? "number" : "text"];
    return cycle[(cycle.indexOf(heads[column].getAttribute("aria-sort")) + 1) % cycle.length];
  };

  const sort = (column, order) => {
    const key = (row) => value(row, column);
    const compare = isNumeric(column) ? (a, b) => Number(a) - Number(b) : (a, b) => a.localeCompare(b, "en", { numeric: true });
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...original];
    if (order !== "none") {
      // Undefined values stand last either way.
      rows.sort((a, b) => (key(a) === "") - (key(b) === "") || sign * compare(key(a), key(b)));
    }
    for (const row of rows) (order === "none" ? homes.get(row) : sorted).append(row);
    table.classList.toggle("sorted", order !== "none");
    heads.forEach((head, i) => head.setAttribute("aria-sort", i === column ? order : "none"));
    status.textContent = `Sorted ${words[order] ?? `by ${heads[column].textContent}, ${order}`}.`;
    // Sorted taps stand in no part: there is nothing to fold, but a way back.
    if (back) back.hidden = order === "none";
    if (every) every.parentElement.hidden = order !== "none";
  };

  // Some taps, by a part of their name, their type, or their zeros.
  const search = section.querySelector("#layers-search");
  const type = section.querySelector("#layers-type");
  const zeros = section.querySelector("#layers-zeros");
  const wanted = (row) =>
    row.querySelector("th").textContent.toLowerCase().includes(search.value.trim().toLowerCase()) &&
    (!type?.value || row.dataset.type === type.value) &&
    (!zeros.value || row.dataset[zeros.value] === "yes");
  const filter = () => {
    const all = !search.value.trim() && !type?.value && !zeros.value;
    table.classList.toggle("filtered", !all);
    for (const row of original) row.classList.toggle("left-out", !wanted(row));
    for (const body of table.tBodies) {
      const left = [...body.rows].filter((row) => row.classList.contains("tap-row") && !row.classList.contains("left-out"));
      body.querySelector(".part")?.classList.toggle("left-out", !all && !left.length);
    }
    const count = original.filter((row) => !row.classList.contains("left-out")).length;
    status.textContent = all ? "All taps." : `${count} of ${original.length} taps.`;
  };
  for (const field of [search, type, zeros]) field?.addEventListener("input", filter);
  section.querySelector(".tools").hidden = false;

  if (every) {
    const agree = () => (every.checked = parts.every((part) => part.checked));
    every.addEventListener("change", () => parts.forEach((part) => (part.checked = every.checked)));
    parts.forEach((part) => part.addEventListener("change", agree));
    agree();
  }
  back?.addEventListener("click", () => {
    sort(0, "none");
    heads[0].querySelector("button").focus();
  });
  section.querySelector("#layers-hint")?.removeAttribute("hidden");
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    button.disabled = false;
    button.addEventListener("click", () => sort(column, next(column)));
  });
}
