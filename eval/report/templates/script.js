"use strict";

// Before the page is drawn, so that it does not flash in the other theme.
const THEME = "rerankbench-theme";
const root = document.documentElement;

function storedTheme() {
  try {
    return localStorage.getItem(THEME);
  } catch {
    return null; // storage may be forbidden, as for some local files
  }
}

if (["light", "dark"].includes(storedTheme())) root.dataset.theme = storedTheme();

document.addEventListener("DOMContentLoaded", () => {
  const data = JSON.parse(document.getElementById("data").textContent);
  setUpTheme();
  setUpToggles();
  document.querySelectorAll("table.sortable").forEach(setUpSorting);
  document.querySelectorAll("svg.chart").forEach(setUpChart);
  setUpTrace(data);
  if (data.queries) setUpQueries(data.queries);
});

function setUpTheme() {
  const button = document.getElementById("theme");
  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const label = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} theme`);
  };
  button.hidden = false;
  label();
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem(THEME, root.dataset.theme);
    } catch {
      // then it holds for this visit
    }
    label();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
}

// A checkbox sets a class on the element that it controls.
function setUpToggles() {
  for (const box of document.querySelectorAll("input[data-toggle]")) {
    const target = document.getElementById(box.getAttribute("aria-controls"));
    const apply = () => target.classList.toggle(box.dataset.toggle, box.checked);
    box.addEventListener("change", apply);
    apply(); // browsers keep boxes checked over a reload
  }
}

function setUpSorting(table) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const first = column === 0 ? "ascending" : "descending";
      const other = first === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const rows = [...body.rows].map((row) => [sortKey(row.cells[column]), row]);
      rows.sort(([a], [b]) => compare(a, b, order === "ascending" ? 1 : -1));
      body.append(...rows.map(([, row]) => row));
    });
  });
}

// A number where the cell has one, else its text; null where there is nothing to compare.
function sortKey(cell) {
  if (cell.dataset.value) return Number(cell.dataset.value);
  const text = cell.textContent.trim();
  return cell.tagName === "TH" || !/^(–|not )/.test(text) ? text : null;
}

function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null); // what is absent stays last
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
}

// The hover of a chart. One point of each chart is in the tab order; arrow keys go on from there.
function setUpChart(svg) {
  const tip = document.getElementById("tip");
  const points = [...svg.querySelectorAll(".dot")];
  const show = (point) => {
    tip.textContent = point.dataset.tip;
    tip.hidden = false;
    tip.style.left = "0";
    const at = point.getBoundingClientRect();
    const left = Math.min(at.left + at.width / 2 + 12, innerWidth - tip.offsetWidth - 8);
    const above = at.top - tip.offsetHeight - 8;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above > 8 ? above : at.bottom + 8}px`;
  };
  const hide = () => {
    tip.hidden = true;
  };
  points.forEach((point, index) => {
    point.addEventListener("pointerenter", () => show(point));
    point.addEventListener("pointerleave", hide);
    point.addEventListener("focus", () => show(point));
    point.addEventListener("blur", hide);
    point.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step) {
        const next = points[(index + step + points.length) % points.length];
        point.setAttribute("tabindex", "-1");
        next.setAttribute("tabindex", "0");
        next.focus();
        event.preventDefault();
      } else if (event.key === "Escape") {
        hide();
      } else if (event.key === "Enter" || event.key === " ") {
        point.dispatchEvent(new MouseEvent("click", { bubbles: true }));
        event.preventDefault();
      }
    });
  });
  addEventListener("scroll", hide, { passive: true });
}

// Whatever has data-cells opens the provenance of those cells.
function setUpTrace(data) {
  const dialog = document.getElementById("trace");
  const body = document.getElementById("trace-body");
  document.addEventListener("click", (event) => {
    const source = event.target.closest("[data-cells]");
    if (source?.dataset.cells) {
      const cells = source.dataset.cells.split(" ").map((index) => data.cells[Number(index)]);
      body.replaceChildren(...cells.map((cell) => cellDetails(cell, data.facts, cells.length === 1)));
      dialog.showModal();
      dialog.scrollTop = 0;
    } else if (event.target === dialog) {
      dialog.close(); // the backdrop
    }
  });
}

function cellDetails(cell, facts, open) {
  const score = cell.score === null ? "not run" : cell.score.toFixed(2);
  const details = element("details", "", [
    element("summary", `${cell.dataset} · ${cell.model} ${cell.setting}: ${score}`),
    list([
      ["identity", cell.identity],
      ["experiment", cell.experiment],
      ["partial", cell.partial ?? "no, the whole dataset"],
      ["folder", cell.path],
      ...cell.warnings.map((text) => ["warning", text]),
    ]),
    element("h3", "Parts of the identity: everything that can change a score"),
    list(cell.identity_parts.map((index) => facts[index])),
    element("h3", "Counts"),
    list(cell.counts.map((index) => facts[index])),
    element("h3", "Circumstances: what cannot change a score"),
    list(cell.provenance.map((index) => facts[index])),
  ]);
  details.open = open;
  return details;
}

function list(pairs) {
  return element("dl", "", pairs.flatMap(([key, value]) => [element("dt", key), element("dd", value)]));
}

// Texts are set as text, never as HTML.
function element(name, text, children = []) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}
