// Filters and order of the leaderboard, kept in the address, which therefore is a permalink.
document.addEventListener("DOMContentLoaded", () => {
  const table = document.getElementById("board");
  const form = document.getElementById("board-controls");
  const filters = [...form.querySelectorAll("[data-filter]")];
  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells];

  const state = () => {
    const found = new URLSearchParams();
    for (const filter of filters) if (filter.value) found.set(filter.dataset.filter, filter.value);
    const sorted = heads.findIndex((head) => head.hasAttribute("aria-sort"));
    if (sorted >= 0) found.set("sort", `${heads[sorted].textContent.trim()}:${heads[sorted].getAttribute("aria-sort")}`);
    return found;
  };
  const keep = () => {
    const text = state().toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  };
  const apply = () => {
    const wanted = Object.fromEntries(filters.map((filter) => [filter.dataset.filter, filter.value]));
    const words = wanted.search.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const data = row.dataset;
      const small = wanted.size === "" || (data.size !== "" && Number(data.size) <= Number(wanted.size) * 1e6);
      const fits = ["family", "license", "training"].every((key) => wanted[key] === "" || data[key] === wanted[key]);
      const named = words.every((word) => row.cells[0].textContent.toLowerCase().includes(word));
      row.hidden = !(small && fits && named);
      shown += !row.hidden;
    }
    document.getElementById("board-count").textContent = `${shown} of ${rows.length} variants`;
  };
  const restore = () => {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const filter of filters) filter.value = given.get(filter.dataset.filter) ?? "";
    const [name, order] = (given.get("sort") ?? "").split(/:(?=[^:]*$)/);
    const head = heads.find((each) => each.textContent.trim() === name);
    for (let tries = 0; head && tries < 2 && head.getAttribute("aria-sort") !== order; tries += 1) {
      head.querySelector("button").click();
    }
    apply();
  };
  form.addEventListener("input", () => {
    apply();
    keep();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => {
    setTimeout(() => {
      apply();
      keep();
    });
  });
  table.tHead.addEventListener("click", () => setTimeout(keep));
  addEventListener("hashchange", restore);
  form.hidden = false;
  restore();
});
