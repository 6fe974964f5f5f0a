"use strict";
// What is shown where: one function for each view, which gives the nodes below its heading.

const VIEWS = ["overview", "deputies", "parties", "states", "categories", "suppliers", "attention", "about"];
const VERSION_SHORT = 12;
const LARGEST_OF_PAYER = 5;
const LARGEST_OF_YEAR = 30;

// The rows of a table, all or of a year; made of columns when they are first asked for.
const made = new Map();
const rows = (name, year = null) => {
  if (!made.has(name)) {
    const all = rowsOf(DATA[name]);
    made.set(name, { all, years: Map.groupBy ? Map.groupBy(all, (row) => row.year) : grouped(all) });
  }
  return year === null ? made.get(name).all : made.get(name).years.get(year) ?? [];
};
const grouped = (all) => {
  const years = new Map();
  for (const row of all) years.set(row.year, [...(years.get(row.year) ?? []), row]);
  return years;
};

const isKaggle = (year) => DATA.byYear.get(year).net_amount === null;
const sourceName = (row) => (row.source_code === "chamber_expenses" ? t("house") : t("kaggle"));
const payerName = (payer) => DATA.payers.name[payer];
const isDeputy = (payer) => DATA.payers.kind[payer] !== "leadership";
const toPayer = (payer, year = state.year) => href({ view: "payer", payer: DATA.payers.key[payer], year });
const categoryName = (category) => DATA.categories[state.lang][category];
const heading = (text) => el("h2", null, text);
const text = (...parts) => el("p", null, ...parts);
const soft = (...parts) => el("p", { class: "soft" }, ...parts);

// Columns that several tables have.
const inBrl = (word, name, more = {}) => ({ label: t("inBrl", t(word)), kind: "money", value: (row) => row[name], ...more });
const named = (label, value, more = {}) => ({ label, value, header: true, ...more });
const spentColumn = (more = {}) => inBrl("spent", "spent_amount", more);
const receiptsColumn = (more = {}) => ({ label: t("receipts"), kind: "count", value: (row) => row.receipts, ...more });
const deputiesColumn = () => ({ label: t("count"), kind: "count", value: (row) => row.deputies });
const perDeputyColumn = () => inBrl("perDeputy", "spent_per_deputy");
const shareColumn = (label, name, whole = 1e6) => ({
  label, kind: "share", value: (row) => row[name],
  node: (row, shown) => (row[name] === null ? shown : [shown, bar(row[name] / whole)]),
});
const payerColumn = (more = {}) => named(t("deputy"), (row) => payerName(row.payer), {
  node: (row, shown) => el("a", { href: toPayer(row.payer) }, shown), ...more,
});
// The account of the net value, from left to right; what was returned later is beside it, not in it.
const less = (cents) => (cents === null ? null : 0 - cents);
const returned = (row) => row.returned_amount ?? (row.net_amount === null ? null : 0);
const TERMS = [
  ["documents", (row) => row.gross_amount],
  ["deductions", (row) => less(row.deduction_amount)],
  ["refunds", (row) => row.refund_amount],
  ["differences", (row) => row.difference_amount],
  ["net", (row) => row.net_amount],
  ["returned", returned],
];
const amountColumns = (hasTotal = false) => TERMS.map(([word, value]) =>
  ({ label: t("inBrl", t(word)), kind: "money", value, ...(hasTotal ? { total: total(value) } : {}) }));
const account = (row) => {
  const terms = TERMS.slice(0, 5).map(([, value]) => value(row));
  if (terms.includes(null)) return isKaggle(row.year) ? soft(t("onlyDocuments")) : null;
  const missing = terms[4] - terms[0] - terms[1] - terms[2] - terms[3];
  return missing ? text(t("doesNotClose", SHOWN.money(missing))) : soft(t("closes", ...terms.map(SHOWN.money)));
};
// A year in a table: its name, how far it goes, a link to it.
const yearColumn = (link = (row) => href({ view: "overview", year: row.year })) => named(t("year"), (row) => row.year, {
  node: (row) => [link ? el("a", { href: link(row) }, String(row.year)) : String(row.year), el("span", { class: "soft" }, yearName(row.year).slice(4))],
});
// Years that may be joined by a line: whole, of one source, one after the other. Each year's first of them.
const joinedYears = () => {
  const joined = new Map();
  for (const row of allYears()) {
    const last = DATA.byYear.get(row.year - 1);
    const goesOn = last && !last.is_incomplete && !row.is_incomplete && last.source_code === row.source_code;
    joined.set(row.year, goesOn ? joined.get(row.year - 1) : row.year);
  }
  return joined;
};
const starred = (row) => `${row.year}${row.is_incomplete ? "*" : ""}`;
const allYears = () => [...DATA.byYear.values()];
const partyOfFile = (...more) => (isKaggle(state.year) ? null : soft(t("partyOfFile", fileOf(DATA.byYear.get(state.year))), ...more));
const rejectedColumn = () => ({
  label: t("rejected"), kind: "count", value: (row) => row.rejected_lines,
  node: (row, shown) => (row.rejected_lines ? rejectedLink(row.year, shown) : shown),
});
const bars = (y, x, height) => ({
  mark: { type: "bar", stroke: color("accent"), cornerRadiusEnd: 2 },
  encoding: { y: { field: y, type: "nominal", sort: null, title: null }, x: { field: "value", type: "quantitative", title: x }, fill: HATCHED(), tooltip: [{ field: y, title: " " }, { field: "value", format: ",.2f", title: x }] },
});
const columnsChart = (x, y, more = {}) => ({
  mark: { type: "bar", stroke: color("accent"), cornerRadiusEnd: 2 },
  encoding: { x: { field: x, type: "ordinal", sort: null, title: null, axis: { labelAngle: 0, labelOverlap: true } }, y: { field: "value", type: "quantitative", title: y }, fill: HATCHED(), tooltip: [{ field: x, title: " " }, { field: "value", format: ",.2f", title: y }] },
  ...more,
});

const overview = () => {
  const year = DATA.byYear.get(state.year);
  const figure = (word, shown) => el("div", null, el("dt", null, word), el("dd", null, shown));
  const brl = (cents) => (cents === null ? t("notKnown") : numbers({ style: "currency", currency: "BRL" }).format(cents / 100));
  const kaggle = isKaggle(state.year);
  return [
    notice(),
    el("dl", { class: "figures" },
      figure(t(kaggle ? "spentOfKaggle" : "spentOf", yearName()), brl(year.spent_amount)),
      TERMS.filter(([word]) => word !== "net").map(([word, value]) => figure(t(word), brl(value(year)))),
      figure(t("receipts"), SHOWN.count(year.receipts)),
      figure(t("count"), SHOWN.count(year.deputies))),
    account(year),
    kaggle ? null : soft(t("whatIsWhat")),
    heading(t("byYear")),
    chart(t("byYear"), allYears().map((row) => ({ year: starred(row), value: row.spent_amount / 1e8, marked: row.gaps !== null })),
      columnsChart("year", t("millions"))),
    table({
      caption: t("byYear"),
      rows: allYears().reverse(),
      command: 'deputies-lake query q01',
      columns: [yearColumn(), { label: t("source"), value: sourceName }, receiptsColumn(), ...amountColumns(), rejectedColumn()],
    }),
    heading(t("byMonth", yearName())),
    chart(t("byMonth", yearName()), rows("months", state.year).filter((row) => row.month).map((row) => ({ month: monthName(row.month), value: row.spent_amount / 1e8, marked: row.gaps !== null })),
      columnsChart("month", t("millions"))),
    table({
      caption: t("byMonth", yearName()),
      rows: rows("months", state.year),
      command: query("mart_months", state.year),
      columns: [
        named(t("month"), (row) => row.month, { node: (row) => monthName(row.month, "long") }),
        receiptsColumn({ total: sum("receipts") }), ...amountColumns(true),
      ],
    }),
    soft(t("leadershipsCount")),
  ];
};

const deputies = () => {
  const all = rows("deputies", state.year);
  const known = all.filter((row) => isDeputy(row.payer));
  const byShare = known.some((row) => row.share_to_date !== null);
  const ranked = [...known].sort((a, b) => (byShare ? (b.share_to_date ?? -1e12) - (a.share_to_date ?? -1e12) : b.spent_amount - a.spent_amount));
  ranked.forEach((row, i) => { row.place = i + 1; });
  const shares = known.filter((row) => row.share_to_date !== null).map((row) => ({ part: row.share_to_date / 1e6 }));
  const list = el("div");
  const found = el("p", { class: "soft", role: "status" });
  const show = (wanted = "") => {
    const words = plain(wanted).split(/\s+/).filter(Boolean);
    const hit = words.length
      ? ranked.filter((row) => words.every((word) => plain(`${payerName(row.payer)} ${row.party} ${row.state}`).includes(word)))
      : ranked;
    found.textContent = words.length ? t("found", SHOWN.count(hit.length)) : "";
    list.replaceChildren(...table({
      caption: t("deputiesOf", yearName()),
      rows: hit,
      limit: 50,
      command: byShare ? "deputies-lake query q07" : "deputies-lake query q02",
      columns: [
        { label: t("place"), kind: "count", value: (row) => row.place },
        payerColumn(),
        { label: t("party"), value: (row) => row.party },
        { label: t("state"), value: (row) => row.state },
        ...(byShare ? [shareColumn(t("shareToDate"), "share_to_date"), inBrl("quotaToDate", "quota_to_date")] : []),
        spentColumn(),
        receiptsColumn(),
      ],
    }).flat(3).filter(Boolean));
  };
  show();
  return [
    notice(),
    text(t(byShare ? "shareText" : "noShares", state.year)),
    partyOfFile(),
    shares.length ? heading(t("distribution", yearName())) : null,
    chart(t("distribution", yearName()), shares, {
      mark: { type: "bar", fill: color("accent") },
      encoding: {
        x: { field: "part", bin: { step: 0.1 }, type: "quantitative", title: t("share"), axis: { format: ".0%" } },
        y: { aggregate: "count", type: "quantitative", title: t("deputies") },
      },
    }, 180),
    heading(t(byShare ? "byShare" : "bySpent")),
    el("label", null, t("searchDeputy"), el("input", { type: "search", autocomplete: "off", spellcheck: "false", oninput: (event) => show(event.target.value) })),
    found,
    list,
    heading(t("leaderships", yearName())),
    text(t("leadershipsText")),
    table({
      caption: t("leaderships", yearName()),
      rows: all.filter((row) => !isDeputy(row.payer)).sort((a, b) => b.spent_amount - a.spent_amount),
      columns: [payerColumn({ label: t("leadership") }), receiptsColumn({ total: sum("receipts") }), spentColumn({ total: sum("spent_amount") })],
    }),
  ];
};

const parties = () => {
  const isToday = state.by === "today";
  const name = isToday ? "parties_today" : "parties";
  const known = rows(name, state.year);
  const shown = [...known].filter((row) => row.spent_per_deputy !== null).sort((a, b) => b.spent_per_deputy - a.spent_per_deputy);
  const tab = (by, word) => el("li", null, el("a", { href: href({ by: by === "today" ? by : "" }), "aria-current": state.by === by ? "true" : null }, t(word)));
  return [
    notice(),
    el("ul", { class: "tabs" }, tab("reported", "asReported"), tab("today", "today")),
    text(t(isToday ? "partiesToday" : "partiesReported")),
    partyOfFile(" ", gapText("party_may_be_todays")),
    heading(t("perDeputyChart", yearName())),
    chart(t("perDeputyChart", yearName()), shown.map((row) => ({ party: row.party, value: row.spent_per_deputy / 1e5 })),
      bars("party", t("thousands")), 22 * shown.length + 40),
    table({
      caption: t("partiesOf", yearName()),
      rows: known,
      limit: 40,
      command: query(isToday ? "mart_parties_today" : "mart_parties", state.year),
      columns: [
        named(t("party"), (row) => row.party),
        ...(isToday ? [{ label: t("joins"), value: (row) => row.labels, class: "wide" }] : []),
        deputiesColumn(), perDeputyColumn(), spentColumn(), receiptsColumn(),
      ],
    }),
  ];
};

const states = () => {
  const known = rows("states", state.year);
  const shown = [...known].filter((row) => row.spent_per_deputy !== null).sort((a, b) => b.spent_per_deputy - a.spent_per_deputy);
  const regions = new Map();
  for (const row of known) {
    const region = regions.get(row.region_pt) ?? { name: inLanguage(row, "region"), deputies: 0, receipts: 0, spent_amount: 0, ofDeputies: 0 };
    region.deputies += row.deputies;
    region.receipts += row.receipts;
    region.spent_amount += row.spent_amount;
    region.ofDeputies += row.deputies * (row.spent_per_deputy ?? 0);
    regions.set(row.region_pt, region);
  }
  const byRegion = [...regions.values()].map((row) => ({ ...row, spent_per_deputy: Math.round(row.ofDeputies / row.deputies) }));
  return [
    notice(),
    text(t("statesText")),
    heading(t("perDeputyChart", yearName())),
    chart(t("perDeputyChart", yearName()), shown.map((row) => ({ state: row.state, value: row.spent_per_deputy / 1e5 })),
      bars("state", t("thousands")), 20 * shown.length + 40),
    table({
      caption: t("statesOf", yearName()),
      rows: known,
      limit: 30,
      command: query("mart_states", state.year),
      columns: [
        named(t("state"), (row) => row.state), { label: t("name"), value: (row) => row.name },
        { label: t("region"), value: (row) => inLanguage(row, "region") },
        deputiesColumn(), perDeputyColumn(), spentColumn(), receiptsColumn(),
      ],
    }),
    heading(t("regions", yearName())),
    table({
      caption: t("regions", yearName()),
      rows: byRegion.sort((a, b) => b.spent_per_deputy - a.spent_per_deputy),
      columns: [named(t("region"), (row) => row.name), deputiesColumn(), perDeputyColumn(), spentColumn(), receiptsColumn()],
    }),
  ];
};

const categories = () => {
  const known = rows("category_years", state.year);
  const before = new Map(rows("category_years", state.year - 1).map((row) => [row.category, row.spent_amount]));
  const largest = known.slice(0, 6).map((row) => row.category);
  const [year, yearBefore] = [DATA.byYear.get(state.year), DATA.byYear.get(state.year - 1)];
  const partial = [year, yearBefore].find((row) => row?.is_incomplete);
  const whyNot = !yearBefore ? "" : year.source_code !== yearBefore.source_code ? t("otherSource", yearBefore.year) : partial ? t("notCompared", yearName(partial.year), yearBefore.year) : null;
  const compared = known.map((row) => {
    const last = before.get(row.category) ?? null;
    return { ...row, before: last, change: last > 0 ? Math.round((row.spent_amount / last - 1) * 1e6) : null };
  });
  const byName = { field: "name", type: "nominal", scale: { domain: largest.map(categoryName) }, title: null, legend: { orient: "bottom", columns: 1 } };
  const joined = joinedYears();
  const most = Math.max(...known.map((row) => row.share_of_year ?? 0));
  return [
    notice(),
    whyNot ? text(whyNot) : null,
    table({
      caption: t("categoriesOf", yearName()),
      rows: compared,
      command: query("mart_categories", state.year),
      columns: [
        named(t("category"), (row) => categoryName(row.category), { class: "wide" }),
        spentColumn({ total: sum("spent_amount") }), shareColumn(t("shareOfYear"), "share_of_year", most),
        ...(whyNot === null ? [{ label: t("before"), kind: "money", value: (row) => row.before }, { label: t("change"), kind: "share", value: (row) => row.change }] : []),
        receiptsColumn({ total: sum("receipts") }),
      ],
    }),
    heading(t("trend")),
    text(t("trendText")),
    chart(t("trend"), rows("category_years").filter((row) => largest.includes(row.category)).map((row) => ({ year: starred(DATA.byYear.get(row.year)), value: row.spent_amount / 1e8, name: categoryName(row.category), joined: joined.get(row.year) })), {
      encoding: {
        x: { field: "year", type: "ordinal", title: null, axis: { labelAngle: 0, labelOverlap: true } },
        y: { field: "value", type: "quantitative", title: t("millions") },
        tooltip: [{ field: "name", title: " " }, { field: "year", title: t("year") }, { field: "value", format: ",.2f", title: t("millions") }],
      },
      // One legend, the points': colours that differ in lightness, too, and shapes.
      layer: [
        { mark: "line", encoding: { color: { ...byName, legend: null }, detail: { field: "joined" } } },
        { mark: { type: "point", filled: true, size: 60, opacity: 1 }, encoding: { color: byName, shape: byName } },
      ],
      resolve: { legend: { color: "independent", shape: "independent" } },
    }, 300),
    table({
      caption: t("trend"),
      rows: allYears().reverse(),
      columns: [
        yearColumn(null),
        { label: t("source"), value: sourceName },
        ...largest.map((category) => {
          const of = new Map(rows("category_years").filter((row) => row.category === category).map((row) => [row.year, row.spent_amount]));
          return { label: t("inBrl", categoryName(category)), kind: "money", value: (row) => of.get(row.year) ?? null };
        }),
      ],
    }),
  ];
};

const suppliers = () => {
  const known = rows("suppliers", state.year);
  const top = known.filter((row) => row.is_top);
  const supplier = named(t("supplier"), (row) => row.name, { class: "wide" });
  const cnpj = { label: "CNPJ", value: (row) => row.id };
  const only = { label: t("deputy"), value: (row) => (row.only_payer === null ? "" : payerName(row.only_payer)), node: (row, shown) => (shown ? el("a", { href: toPayer(row.only_payer) }, shown) : "") };
  return [
    notice(),
    text(t("suppliersText", top.length)),
    heading(t("paidMost", yearName())),
    chart(t("paidMost", yearName()), top.slice(0, 12).map((row) => ({ name: row.name, value: row.spent_amount / 1e8 })), bars("name", t("millions")), 320),
    table({
      caption: t("paidMost", yearName()),
      rows: top,
      command: query("mart_suppliers", state.year),
      columns: [supplier, cnpj, spentColumn(), deputiesColumn(), receiptsColumn()],
    }),
    heading(t("onlyOf", yearName())),
    text(t("onlyText")),
    table({
      caption: t("onlyOf", yearName()),
      rows: known.filter((row) => row.is_only),
      command: query("mart_suppliers", state.year, " AND only_deputy_key IS NOT NULL AND spent_amount >= 50000"),
      columns: [supplier, cnpj, only, spentColumn(), receiptsColumn()],
    }),
  ];
};

const receiptColumns = (payer) => [
  { label: t("date"), value: (row) => row.date, node: (row) => day(row.date) || t("notKnown") },
  ...payer,
  { label: t("category"), value: (row) => categoryName(row.category), class: "wide" },
  { label: t("supplier"), value: (row) => row.supplier, class: "wide", header: !payer.length },
  spentColumn(),
  {
    label: t("number"), value: (row) => row.number,
    node: (row, shown) => (row.link
      ? el("a", { href: row.link, rel: "noreferrer", "aria-label": t("openReceipt", row.number ?? "") }, row.number || t("open"))
      : [shown, " ", el("span", { class: "soft" }, t("noLink"))]),
  },
];

const attention = async () => {
  const points = (kind) => table({
    caption: t(kind === "quality" ? "qualityPoints" : "attentionPoints"),
    rows: rows("points", state.year).filter((row) => row.kind === kind),
    command: query("mart_points_of_attention", state.year),
    columns: [named(t("point"), (row) => inLanguage(row, ""), { class: "wide" }), receiptsColumn(), spentColumn()],
  });
  const { receipts } = await figuresOf(state.year);
  return [
    notice(),
    text(t("attentionText")),
    heading(t("attentionPoints")),
    points("attention"),
    heading(t("largestOf", yearName())),
    text(t("largestText")),
    table({
      caption: t("largestOf", yearName()),
      rows: receipts.filter((row) => row.rank <= LARGEST_OF_YEAR).sort((a, b) => a.rank - b.rank),
      limit: 10,
      command: query("mart_largest_receipts", state.year, " ORDER BY rank_of_year"),
      columns: receiptColumns([payerColumn()]),
    }),
    heading(t("qualityPoints")),
    points("quality"),
  ];
};

const about = () => {
  const { citation, checks } = DATA;
  const first = allYears()[0].year;
  return [
    soft(t("made", new Date(DATA.made_at).toLocaleString(isPt() ? "pt-BR" : "en-CA", { timeZone: "America/Sao_Paulo", dateStyle: "short", timeStyle: "short" })), ` ${t("version_")}: ${citation.version}`),
    heading(t("checks")),
    text(checks.passed ? t("checksPassed", SHOWN.count(checks.passed)) : t("checksNone")),
    checks.failed.length ? [text(t("checksFailed", checks.failed.length)), el("ul", null, checks.failed.map((one) => el("li", { lang: "en" }, one)))] : null,
    heading(t("gaps")),
    table({
      caption: t("gaps"),
      rows: Object.values(DATA.gaps),
      columns: [
        named(t("gap"), (row) => gapText(row.gap_id), { class: "wide" }),
        { label: t("from"), value: (row) => row.first_month, node: (row) => monthOf(row.first_month) },
        { label: t("to"), value: (row) => row.last_month, node: (row) => monthOf(row.last_month) },
      ],
    }),
    heading(t("sources")),
    table({
      caption: t("sources"),
      rows: [...citation.sources].reverse(),
      columns: [
        named(t("year"), (row) => row.year, { node: (row) => String(row.year) }), { label: t("source"), value: sourceName },
        { label: t("file"), value: (row) => row.file_name }, { label: "SHA-256", value: (row) => row.sha256, class: "hash" },
      ],
    }),
    heading(t("again")),
    text(t("againText")),
    shell(`deputies-lake fetch --years ${first}..\nmake demo`),
    heading(t("cite")),
    text(citation[`text_${state.lang}`]),
    heading(t("licence")),
    text(citation[`licence_${state.lang}`]),
  ];
};

const rejected = async () => {
  const year = DATA.byYear.get(state.year);
  const { rejected: lines } = await figuresOf(state.year);
  if (!lines.length) return [text(t("noRejected", state.year))];
  return [
    text(rejectedText(state.year)),
    text(t("rejectedText")),
    lines.length < year.rejected_lines ? text(t("firstRejected", SHOWN.count(lines.length))) : null,
    table({
      caption: t("rejectedOf", state.year),
      rows: lines,
      limit: 50,
      command: query("rejected_lines", state.year, ` AND source_code = '${year.source_code}'`),
      columns: [
        { label: t("line"), kind: "count", value: (row) => row.line },
        named(t("reason"), (row) => row.reason, { class: "wide", node: (row, shown) => el("span", { lang: "en" }, shown) }),
        { label: t("file"), value: (row) => row.file },
        inBrl("readableAmount", "amount"),
      ],
    }),
  ];
};

const payer = async (position) => {
  const all = rows("deputies").filter((row) => row.payer === position);
  const [row] = all.filter((one) => one.year === state.year);
  const register = DATA.payers.register[position];
  const { months, categories: ofYear, receipts } = await figuresOf(state.year);
  const mine = (rowsOfYear) => rowsOfYear.filter((one) => one.payer === position);
  const [ownMonths, ownReceipts] = [mine(months), mine(receipts)];
  const yearLink = (one) => el("a", { href: toPayer(position, one.year) }, String(one.year));
  const known = [
    el("p", null, el("a", { href: href({ view: "deputies" }) }, t("backToDeputies")),
      register ? [" · ", el("a", { href: `https://www.camara.leg.br/deputados/${encodeURIComponent(register)}`, rel: "noreferrer" }, t("atTheHouse"))] : null),
    row ? null : el("p", null, t("notInYear", state.year), " ", all.flatMap((one, i) => [i ? ", " : "", yearLink(one)])),
  ];
  const ofPayer = isDeputy(position);
  const ofThisYear = row && [
    notice(),
    ofPayer ? partyOfFile() : null,
    ofPayer ? text(el("strong", null, `${row.party} · ${row.state}`), " ", row.share_to_date === null ? null : t("usedShare", SHOWN.share(row.share_to_date), state.year)) : text(t("leadershipsText")),
    heading(t("monthsOf", yearName())),
    ownMonths.length
      ? [
        soft(t("monthsText")),
        chart(t("monthsOf", yearName()), ownMonths.map((one) => ({ month: monthName(one.month), value: one.spent_amount / 1e5, quota: one.quota_amount === null ? null : one.quota_amount / 1e5, marked: one.gaps !== null })), {
          encoding: { x: { field: "month", type: "ordinal", sort: null, title: null, axis: { labelAngle: 0, labelOverlap: true } } },
          layer: [
            { mark: { type: "bar", stroke: color("accent") }, encoding: { y: { field: "value", type: "quantitative", title: t("thousands") }, fill: HATCHED() } },
            { mark: { type: "tick", thickness: 3, color: color("ink") }, encoding: { y: { field: "quota", type: "quantitative" } } },
          ],
        }, 200),
        table({
          caption: t("monthsOf", yearName()),
          rows: ownMonths,
          command: query("mart_quota_shares", state.year, ` AND deputy_key = ${DATA.payers.key[position]}`),
          columns: [
            named(t("month"), (one) => one.month, { node: (one) => monthName(one.month, "long") }),
            spentColumn({ total: sum("spent_amount") }), inBrl("quota", "quota_amount"),
            { label: t("share"), kind: "share", value: (one) => one.share_of_quota },
            shareColumn(t("shareToDate"), "share_to_date"),
          ],
        })]
      : text(t(ofPayer ? "noMonths" : "ofLeadership", state.year)),
    heading(t("categoriesOfPayer", yearName())),
    table({
      caption: t("categoriesOfPayer", yearName()),
      rows: mine(ofYear),
      columns: [named(t("category"), (one) => categoryName(one.category), { class: "wide" }), spentColumn({ total: sum("spent_amount") }), receiptsColumn({ total: sum("receipts") })],
    }),
    heading(t("receiptsOfPayer", yearName())),
    text(t("receiptsText", LARGEST_OF_PAYER)),
    shell(`deputies-lake query --format csv "SELECT * FROM fct_expenses WHERE year = ${state.year} AND deputy_key = ${DATA.payers.key[position]}"`),
    table({ caption: t("receiptsOfPayer", yearName()), rows: ownReceipts, columns: receiptColumns([]) }),
  ];
  return [
    known,
    ofThisYear,
    heading(t("years")),
    chart(t("years"), all.map((one) => ({ year: starred(DATA.byYear.get(one.year)), value: one.spent_amount / 1e5, marked: DATA.byYear.get(one.year).gaps !== null })), columnsChart("year", t("thousands")), 160),
    table({
      caption: t("years"),
      rows: all.map((one) => ({ ...one, gaps: DATA.byYear.get(one.year).gaps })).reverse(),
      columns: [
        yearColumn((one) => toPayer(position, one.year)), { label: t("party"), value: (one) => one.party }, { label: t("state"), value: (one) => one.state },
        ...(ofPayer ? [shareColumn(t("shareToDate"), "share_to_date")] : []), receiptsColumn(), ...amountColumns(),
      ],
    }),
  ];
};

const SHOW = { overview, deputies, parties, states, categories, suppliers, attention, about, rejected };
const TITLES = { rejected: () => t("rejectedOf", state.year), overview: () => t("site"), deputies: () => t("deputiesOf", yearName()), parties: () => t("partiesOf", yearName()), states: () => t("statesOf", yearName()), categories: () => t("categoriesOf", yearName()), suppliers: () => t("suppliersOf", yearName()), attention: () => t("attentionOf", yearName()), about: () => t("about") };

// Which view: its heading and what gives its nodes.
const chosen = () => {
  if (state.view !== "payer") {
    const view = Object.hasOwn(SHOW, state.view) ? state.view : "overview";
    return [TITLES[view](), SHOW[view]];
  }
  const position = DATA.payers.key.indexOf(state.payer);
  return position < 0 ? [t("notFound", state.payer), () => []] : [t("payerOf", payerName(position), yearName()), () => payer(position)];
};

const frame = () => {
  const { citation } = DATA;
  document.documentElement.lang = isPt() ? "pt-BR" : "en";
  document.getElementById("skip").textContent = t("skip");
  document.getElementById("site").textContent = t("site");
  const views = document.getElementById("views");
  views.setAttribute("aria-label", t("views"));
  views.replaceChildren(el("ul", null, VIEWS.map((view) => el("li", null,
    el("a", { href: href({ view }), "aria-current": view === state.view ? "page" : view === "deputies" && state.view === "payer" ? "true" : null }, t(view))))));
  const select = document.getElementById("year") ?? el("select", { id: "year", onchange: (event) => { location.hash = href({ year: event.target.value, payer: state.payer }); } });
  select.replaceChildren(...allYears().reverse().map((row) => el("option", { value: row.year, selected: row.year === state.year }, row.is_incomplete ? t("incomplete", row.year) : String(row.year))));
  const language = document.getElementById("language") ?? el("button", { id: "language", type: "button", onclick: () => { location.hash = href({ lang: isPt() ? "en" : "pt", payer: state.payer, by: state.by === "today" ? "today" : "" }); } });
  language.textContent = t("otherLanguage");
  language.lang = isPt() ? "en" : "pt-BR";
  if (!select.isConnected) document.getElementById("choices").append(el("label", { for: "year" }), select, language);
  document.querySelector("label[for=year]").textContent = t("year");
  document.getElementById("footer").replaceChildren(
    el("p", null, citation[`text_${state.lang}`]),
    el("p", null, el("a", { href: href({ view: "about" }) }, t("about")), citation.as_of ? ` · ${t("asOf", day(citation.as_of))}` : "", ` · ${t("version", citation.version)}`));
};

let asked = 0;
const show = async () => {
  const mine = ++asked;
  undrawn = [];
  const before = { ...state };
  state = parsed(location.hash);
  frame();
  const main = document.getElementById("main");
  const [title, nodes] = chosen();
  const shown = (await nodes()).flat(4).filter(Boolean);
  // Whoever has gone on to another view since does not want this one.
  if (mine !== asked) return;
  const first = el("h1", { tabindex: -1 }, title);
  main.replaceChildren(first, ...shown);
  draw();
  document.title = title === t("site") ? title : `${title} · ${t("site")}`;
  const hasMoved = before.view && (before.view !== state.view || before.payer !== state.payer);
  if (hasMoved) scrollTo(0, 0);
  if (hasMoved || (before.view && document.activeElement === document.body)) first.focus({ preventScroll: true });
  document.documentElement.dataset.shown = location.hash || "#";
};

const start = async () => {
  const main = document.getElementById("main");
  if (typeof DecompressionStream === "undefined") {
    main.replaceChildren(text(WORDS.tooOld.join(" / ")));
    return;
  }
  DATA = await unpacked("figures");
  DATA.byYear = new Map(rowsOf(DATA.years).map((row) => [row.year, withOwnGaps(row)]));
  if (!DATA.byYear.size) {
    main.replaceChildren(text(WORDS.empty.join(" / ")));
    return;
  }
  const whole = [...DATA.byYear.values()].filter((row) => !row.is_incomplete);
  DATA.latest = (whole.at(-1) ?? [...DATA.byYear.values()].at(-1)).year;
  addEventListener("hashchange", guarded);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", guarded);
  await show();
};
const failed = (error) => document.getElementById("main").replaceChildren(text(WORDS.broken.map((one) => one.replace("{0}", String(error))).join(" / ")));
const guarded = () => show().catch(failed);
start().catch(failed);
