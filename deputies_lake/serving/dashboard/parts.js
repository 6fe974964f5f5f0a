"use strict";
// What views are made of: the state in the address, numbers and dates, elements, tables, charts.
// Text from outside becomes text nodes only; nothing here parses HTML.

const el = (tag, attributes, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.flat(3).filter((child) => child !== null && child !== undefined));
  return made;
};

// The figures, and where one is: all of it is in the address, so that a link shows what its sender saw.

let DATA = null;
let state = {};

const rowsOf = (columns) => {
  const names = Object.keys(columns);
  return (columns[names[0]] ?? []).map((_, i) => Object.fromEntries(names.map((name) => [name, columns[name][i]])));
};

const unpacked = async (id) => {
  const packed = document.getElementById(id)?.textContent ?? "";
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const text = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(text).json();
};

const complete = new Promise((resolve) => addEventListener("DOMContentLoaded", resolve));
const years = new Map();
const figuresOf = (year) => {
  if (!years.has(year)) {
    years.set(year, complete.then(() => unpacked(`figures-${year}`)).then((parts) =>
      Object.fromEntries(Object.entries(parts).map(([name, columns]) => [name, rowsOf(columns)]))));
  }
  return years.get(year);
};

const parsed = (hash) => {
  const given = new URLSearchParams(hash.slice(1));
  return {
    view: given.get("view") ?? "overview",
    lang: given.get("lang") === "en" ? "en" : "pt",
    year: DATA.byYear.has(Number(given.get("year"))) ? Number(given.get("year")) : DATA.latest,
    payer: given.get("payer") ?? "",
    by: given.get("by") === "today" ? "today" : "reported",
  };
};

const href = (changes) => {
  const wanted = { view: state.view, year: state.year, lang: state.lang, ...changes };
  return `#${new URLSearchParams(Object.entries(wanted).filter(([, value]) => value !== ""))}`;
};

// Words and numbers in the reader's language.

const isPt = () => state.lang === "pt";
const t = (word, ...values) => WORDS[word][isPt() ? 0 : 1].replace(/\{(\d)\}/g, (_, i) => values[i]);
const inLanguage = (row, name) => row[`${name}_${state.lang}`] ?? row[state.lang];
const numbers = (options) => new Intl.NumberFormat(isPt() ? "pt-BR" : "en-US", options);
const day = (text) => (text ? new Date(`${text.slice(0, 10)}T12:00:00`).toLocaleDateString(isPt() ? "pt-BR" : "en-CA") : "");
const monthOf = (text) => (text ? new Date(`${text.slice(0, 10)}T12:00:00`).toLocaleDateString(isPt() ? "pt-BR" : "en-US", { month: "short", year: "numeric" }) : "");
const monthName = (month, length = "short") =>
  month ? new Date(2000, month - 1, 1).toLocaleDateString(isPt() ? "pt-BR" : "en-US", { month: length }).replace(".", "") : t("withoutMonth");
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

// What the source does not tell is no zero.
const SHOWN = {
  money: (cents) => (cents === null ? t("notKnown") : numbers({ minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(cents / 100)),
  count: (number) => (number === null ? t("notKnown") : numbers().format(number)),
  share: (millionths) => (millionths === null ? t("notKnown") : numbers({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(millionths / 1e6)),
  text: (text) => text ?? t("notKnown"),
};

// Gaps: each figure that one touches carries a mark, explained beside it.

const INCOMPLETE = "incomplete-";
const REJECTED = "rejected-";
const isOfYear = (gap) => gap.startsWith(INCOMPLETE) || gap.startsWith(REJECTED);
const gapText = (id) => {
  if (id.startsWith(INCOMPLETE)) return incompleteText(Number(id.slice(INCOMPLETE.length)));
  if (id.startsWith(REJECTED)) return rejectedText(Number(id.slice(REJECTED.length)));
  return DATA.gaps[id]?.[isPt() ? "text_pt" : "text_en"] ?? id;
};
const gapsOf = (rows) => [...new Set(rows.flatMap((row) => row.gaps?.split(", ") ?? []))];
const notice = () => {
  const gaps = gapsOf([DATA.byYear.get(state.year)]);
  if (!gaps.length) return null;
  return el("details", { class: "notice", open: true }, el("summary", null, t("notice", state.year)),
    el("ul", null, gaps.map((gap) => el("li", null, gapText(gap), gap.startsWith(REJECTED) ? [" ", rejectedLink(state.year, t("seeRejected"))] : null))));
};
// What the notice above says already is not said again.
// Of other years that end early, or lack lines, the table itself tells.
const marks = (rows) => {
  const [gaps, told] = [gapsOf(rows), gapsOf([DATA.byYear.get(state.year)])];
  const others = gaps.filter((gap) => !told.includes(gap) && !isOfYear(gap)).map(gapText);
  return gaps.length ? el("p", { class: "soft" }, t("marked"), gaps.some((gap) => told.includes(gap)) ? ` ${t("seeNotice")}` : "", others.length ? ` ${others.join(" ")}` : "") : null;
};

// Of a year: how far it goes, and what of its file could not be read. Both are gaps of the year, told as those are.

const stopsAt = (row) => (row.last_month && row.last_month < 12 ? row.last_month : null);
const yearName = (year = state.year) => {
  const row = DATA.byYear.get(year);
  if (!row.is_incomplete) return String(year);
  return stopsAt(row) ? t("upTo", year, monthName(row.last_month, "long")) : t("incomplete", year);
};
const fileOf = (row) => (row.as_of ? t("fileOf", day(row.as_of)) : t("fileWithoutDay"));
const incompleteText = (year) => {
  const row = DATA.byYear.get(year);
  return t(stopsAt(row) ? "stops" : "notOver", year, monthName(row.last_month, "long"), fileOf(row));
};
const rejectedText = (year) => {
  const row = DATA.byYear.get(year);
  const amount = row.rejected_amount === null ? t("noRejectedAmount") : t("rejectedAmount", SHOWN.money(row.rejected_amount));
  return t(row.rejected_lines === 1 ? "rejectedOne" : "rejectedMany", SHOWN.count(row.rejected_lines), year, amount);
};
const rejectedLink = (year, shown) => el("a", { href: href({ view: "rejected", year }) }, shown);
const withOwnGaps = (row) => {
  const all = [row.is_partial ? `${INCOMPLETE}${row.year}` : null, row.rejected_lines ? `${REJECTED}${row.year}` : null, row.gaps];
  return { ...row, gaps: all.filter(Boolean).join(", ") || null };
};

// Tables. A column: label, kind (a key of SHOWN), value(row); header: names the row; node(row, text): more than text;
// total: what stands in the last line. They are sorted by their headings.

const table = ({ caption, columns, rows, limit = 25, sorted = null, command = null }) => {
  const order = { by: sorted, isDown: true, isShort: rows.length > limit };
  const body = el("tbody");
  const more = el("button", { type: "button", onclick: () => { order.isShort = !order.isShort; fill(); } });
  const isRight = (column) => ["money", "count", "share"].includes(column.kind);
  const kindOf = (column) => [isRight(column) ? "right" : "", column.class ?? ""].join(" ").trim() || null;
  const cell = (column, row) => {
    const text = SHOWN[column.kind ?? "text"](column.value(row));
    const mark = column.header && row.gaps ? el("abbr", { title: t("hasGap") }, "*") : null;
    const tag = column.header ? "th" : "td";
    return el(tag, { scope: column.header ? "row" : null, class: kindOf(column) }, column.node?.(row, text) ?? text, mark);
  };
  const compared = (one, other) => {
    const [a, b] = [order.by.value(one), order.by.value(other)];
    if (a === null || b === null) return (a === null) - (b === null);
    return (order.isDown ? -1 : 1) * (typeof a === "string" ? a.localeCompare(b, state.lang) : a - b);
  };
  const heads = columns.map((column) => el("th", { scope: "col", class: kindOf(column) }, el("button", {
    type: "button",
    title: t("sortBy", column.label),
    onclick: () => {
      order.isDown = order.by === column ? !order.isDown : isRight(column);
      order.by = column;
      fill();
    },
  }, column.label)));
  const fill = () => {
    const shown = order.by ? [...rows].sort(compared) : rows;
    body.replaceChildren(...shown.slice(0, order.isShort ? limit : rows.length).map((row) =>
      el("tr", null, columns.map((column) => cell(column, row)))));
    heads.forEach((head, i) => {
      if (columns[i] === order.by) head.setAttribute("aria-sort", order.isDown ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    more.textContent = order.isShort ? t("all", SHOWN.count(rows.length)) : t("fewer", limit);
    more.hidden = rows.length <= limit;
  };
  const foot = columns.some((column) => column.total)
    ? el("tfoot", null, el("tr", null, columns.map((column) => el(column.header ? "th" : "td",
      { scope: column.header ? "row" : null, class: kindOf(column) },
      column.header ? t("total") : column.total ? SHOWN[column.kind](column.total(rows)) : ""))))
    : null;
  fill();
  if (!rows.length) return el("p", { class: "soft" }, t("none"));
  const shown = el("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": caption },
    el("table", null, el("caption", { class: "hidden" }, caption), el("thead", null, el("tr", null, heads)), body, foot));
  return [marks(rows), shown, more, command ? [el("p", { class: "soft" }, t("reproduce")), shell(command)] : null];
};

const total = (value) => (rows) => (rows.some((row) => value(row) === null) ? null : rows.reduce((all, row) => all + value(row), 0));
const sum = (name) => total((row) => row[name]);
const shell = (line) => el("pre", { tabindex: 0 }, el("code", null, line));
const query = (mart, year, where = "") => `deputies-lake query "SELECT * FROM ${mart} WHERE year = ${year}${where}"`;
const bar = (part) => el("span", { class: "bar", "aria-hidden": "true" }, (() => {
  const filled = el("i");
  filled.style.width = `${Math.max(0, Math.min(1, part)) * 100}%`;
  return filled;
})());

// Charts. `spec` is Vega-Lite's; what is `marked` in its data is hatched.

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const HATCHED = () => ({ condition: { test: "datum.marked", value: "url(#hatch)" }, value: color("accent") });
const NUMBERS = { pt: { decimal: ",", thousands: ".", grouping: [3], currency: ["R$ ", ""] }, en: { decimal: ".", thousands: ",", grouping: [3], currency: ["BRL ", ""] } };
const config = () => ({
  aria: false,
  background: null,
  font: "system-ui, sans-serif",
  view: { stroke: null },
  axis: { labelColor: color("ink"), titleColor: color("soft"), gridColor: color("line"), domainColor: color("line"), tickColor: color("line"), labelFontSize: 12, labelSeparation: 4, titleFontSize: 12, titleFontWeight: "normal", labelLimit: 150 },
  range: { category: ["#0b7a4b", "#c2570c", "#2f6fd0", "#a43a9b", "#8a7400", "#6b7280"] },
  legend: { labelColor: color("ink"), titleColor: color("soft"), labelFontSize: 12, labelLimit: 260 },
});

// They are drawn when they are in the page, for they are as wide as their place.
let undrawn = [];
const draw = () => {
  for (const [place, spec] of undrawn.splice(0)) {
    // `ast`: Vega interprets its expressions; the page's policy forbids it to make code of them.
    vegaEmbed(place, { ...spec, config: config() }, { renderer: "svg", actions: false, ast: true, defaultStyle: false, tooltip: { theme: isDark() ? "dark" : "light" }, formatLocale: NUMBERS[state.lang] });
  }
};
const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;
const chart = (title, values, spec, height = 240) => {
  if (!values.length) return null;
  // To a screen reader it is one picture with a name, not hundreds of shapes without.
  const place = el("div", { "aria-hidden": "true" });
  place.style.minHeight = `${height}px`;
  undrawn.push([place, { data: { values }, width: "container", height, autosize: { type: "fit-x", contains: "padding" }, ...spec }]);
  return el("div", { class: "chart", role: "img", "aria-label": t("tableBelow", title) }, place);
};
