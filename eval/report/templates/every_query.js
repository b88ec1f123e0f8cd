// Filter, search and sort all queries; a page of rows at a time, so that the document stays small.
const PAGE = 25;

function setUpQueries(all) {
  const table = document.getElementById("query-table");
  if (!table || !all) return;
  const by = (name) => document.getElementById(`query-${name}`);
  const [search, dataset, variant, kind, count, more] = ["search", "dataset", "variant", "kind", "count", "more"].map(by);
  all.datasets.forEach((name, index) => dataset.append(new Option(name, index)));
  all.variants.forEach((name, index) => variant.append(new Option(name, index)));
  const lower = all.rows.map((row) => `${row[1]} ${row[2]}`.toLowerCase());
  let order = { key: "change", down: false };
  let shown = PAGE;
  const after = (row) => row[4 + Number(variant.value)];
  const change = (row) => after(row) - row[3];
  const kinds = {
    lost: (row) => change(row) < 0,
    won: (row) => change(row) > 0,
    same: (row) => change(row) === 0,
    zero: (row) => after(row) === 0,
  };
  const keys = {
    text: (row) => row[2] || row[1],
    dataset: (row) => all.datasets[row[0]],
    before: (row) => row[3],
    after,
    change,
  };
  const draw = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = all.rows.filter((row, index) =>
      after(row) !== null
      && (dataset.value === "" || row[0] === Number(dataset.value))
      && (kind.value === "" || kinds[kind.value](row))
      && words.every((word) => lower[index].includes(word)));
    const key = keys[order.key];
    found.sort((a, b) => (order.down ? -1 : 1) * compare(key(a), key(b), 1));
    table.tBodies[0].replaceChildren(...found.slice(0, shown).map((row) => {
      const line = document.createElement("tr");
      const head = element("th", "", [element("bdi", row[2] || row[1])]);
      head.scope = "row";
      head.dir = "auto";
      if (row[2]) head.append(element("small", row[1]));
      const step = change(row);
      const sign = step > 0 ? "+" : step < 0 ? "\u2212" : "";
      line.append(head, element("td", "", [element("bdi", all.datasets[row[0]])]),
        element("td", row[3].toFixed(1)), element("td", after(row).toFixed(1)),
        element("td", `${sign}${Math.abs(step).toFixed(1)}`));
      return line;
    }));
    count.textContent = `${found.length.toLocaleString("en")} of ${all.rows.length.toLocaleString("en")} queries`
      + (found.length > shown ? `, the first ${shown} shown` : "");
    more.hidden = found.length <= shown;
  };
  const again = () => {
    shown = PAGE;
    draw();
  };
  search.addEventListener("input", again);
  for (const choice of [dataset, variant, kind]) choice.addEventListener("change", again);
  by("controls").addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => {
    shown += PAGE;
    draw();
  });
  for (const button of table.tHead.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      order = { key: button.dataset.key, down: order.key === button.dataset.key ? !order.down : false };
      for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
      button.parentElement.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      again();
    });
  }
  by("controls").hidden = false;
  table.hidden = false;
  draw();
}
