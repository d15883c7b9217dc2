// Sorts a table by the value of each cell's data-sort; without it the table stands in the order of the run.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const original = [...body.rows];
  const section = table.closest("section");
  const status = section.querySelector("[data-sort-status]");
  const next = { none: "descending", descending: "ascending", ascending: "none" };
  const words = { none: "in the order of the run" };

  const sort = (column, order) => {
    const key = (row) => row.cells[column].dataset.sort;
    const numeric = original.every((row) => key(row) === "" || !Number.isNaN(Number(key(row))));
    const compare = numeric ? (a, b) => Number(a) - Number(b) : (a, b) => a.localeCompare(b, "en", { numeric: true });
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...original];
    if (order !== "none") {
      // Undefined values stand last either way.
      rows.sort((a, b) => (key(a) === "") - (key(b) === "") || sign * compare(key(a), key(b)));
    }
    body.append(...rows);
    heads.forEach((head, i) => head.setAttribute("aria-sort", i === column ? order : "none"));
    status.textContent = `Sorted ${words[order] ?? `by ${heads[column].textContent}, ${order}`}.`;
  };

  section.querySelector(".hint").hidden = false;
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    button.disabled = false;
    button.addEventListener("click", () => sort(column, next[head.getAttribute("aria-sort")]));
  });
}
