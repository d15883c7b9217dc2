// Sorts the rows of a table by the value of each cell's data-sort, and leaves out those that a reader does not look for;
// without it they stand in groups, as taps do in the parts of the model. The table says what its rows are (data-rows) and
// in which order they stand (data-order).
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
  const { rows: noun, order: home } = table.dataset;
  const words = { none: home };

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
    // Sorted rows stand in no group: there is nothing to fold, but a way back.
    if (back) back.hidden = order === "none";
    if (every) every.parentElement.hidden = order !== "none";
  };

  // Some rows, by a part of their words and by what is chosen: a value of what data-filter names, or what is "yes".
  const search = section.querySelector(".tools input");
  const choices = [...section.querySelectorAll(".tools select")];
  const told = new Map(original.map((row) => [row, (row.dataset.search ?? row.querySelector("th").textContent).toLowerCase()]));
  const chosen = (row, { value, dataset: { filter } }) => !value || (filter ? row.dataset[filter] === value : row.dataset[value] === "yes");
  const wanted = (row) => told.get(row).includes(search.value.trim().toLowerCase()) && choices.every((choice) => chosen(row, choice));
  const filter = () => {
    const all = !search.value.trim() && choices.every((choice) => !choice.value);
    table.classList.toggle("filtered", !all);
    for (const row of original) row.classList.toggle("left-out", !wanted(row));
    for (const body of table.tBodies) {
      const left = [...body.rows].filter((row) => row.classList.contains("tap-row") && !row.classList.contains("left-out"));
      body.querySelector(".part")?.classList.toggle("left-out", !all && !left.length);
    }
    const count = original.filter((row) => !row.classList.contains("left-out")).length;
    status.textContent = all ? `All ${noun}.` : `${count} of ${original.length} ${noun}.`;
  };
  for (const field of [search, ...choices]) field.addEventListener("input", filter);
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
  section.querySelector("[data-sort-hint]")?.removeAttribute("hidden");
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    button.disabled = false;
    button.addEventListener("click", () => sort(column, next(column)));
  });
}
