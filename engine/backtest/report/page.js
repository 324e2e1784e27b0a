"use strict";
(async () => {
  const find = (id) => document.getElementById(id);
  const store = find("packed");
  if (!store || !window.DecompressionStream) return;
  const bytes = Uint8Array.from(atob(store.textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const { texts, columns: c } = await new Response(stream).json();
  for (const name of ["number", "entry"]) for (let i = 1; i < c[name].length; i++) c[name][i] += c[name][i - 1];
  const n = c.number.length;
  for (let i = 0; i < n; i++) {
    c.gross[i] += c.side[i] * c.out[i] * c.quantity[i];
    c.out[i] += c.in[i];
  }
  const text = (name, i) => texts[name][c[name][i]];
  const net = (i) => c.gross[i] - c.charges[i];
  const exit = (i) => (c.held[i] < 0 ? Infinity : c.entry[i] + c.held[i]);
  const group = (s) => s.replace(/(\d)(?=(\d\d)+\d$)/g, "$1,");
  const plainly = (paise) => {
    const size = Math.abs(paise);
    return `${group(String(Math.floor(size / 100)))}.${String(size % 100).padStart(2, "0")}`;
  };
  const money = (paise, signed) => `${paise < 0 ? "-" : signed && paise > 0 ? "+" : ""}₹${plainly(paise)}`;
  const moment = (s) => (s === Infinity ? "open" : new Date((s + 19800) * 1e3).toISOString().slice(0, 16).replace("T", " "));
  const show = [
    (i) => String(c.number[i]), (i) => text("strategy", i), (i) => text("symbol", i),
    (i) => (c.side[i] > 0 ? "long" : "short"), (i) => String(c.rung[i]), (i) => group(String(c.quantity[i])),
    (i) => moment(c.entry[i]), (i) => (c.in[i] ? plainly(c.in[i]) : ""), (i) => moment(exit(i)),
    (i) => (c.out[i] ? plainly(c.out[i]) : ""),
    (i) => money(c.gross[i], true), (i) => money(c.charges[i]), (i) => money(net(i), true), (i) => money(c.slippage[i]),
    (i) => money(c.mae[i], true), (i) => money(c.mfe[i], true),
    (i) => text("entry_reason", i) || "–", (i) => text("exit_reason", i) || "–",
  ];
  const value = [
    (i) => c.number[i], (i) => c.strategy[i], (i) => c.symbol[i], (i) => c.side[i], (i) => c.rung[i], (i) => c.quantity[i],
    (i) => c.entry[i], (i) => c.in[i], exit, (i) => c.out[i], (i) => c.gross[i], (i) => c.charges[i], net,
    (i) => c.slippage[i], (i) => c.mae[i], (i) => c.mfe[i], (i) => c.entry_reason[i], (i) => c.exit_reason[i],
  ];
  const table = find("rows"), body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const model = body.rows[0].cloneNode(true), size = body.rows.length, filters = find("filters");
  const results = {
    won: (i) => c.held[i] >= 0 && net(i) > 0, lost: (i) => c.held[i] >= 0 && net(i) < 0,
    drew: (i) => c.held[i] >= 0 && net(i) === 0, open: (i) => c.held[i] < 0,
  };
  let rows = [], page = 0, by = 0, turn = 1;
  const draw = () => {
    body.replaceChildren(...rows.slice(page * size, (page + 1) * size).map((i) => {
      const line = model.cloneNode(true);
      show.forEach((spell, k) => { line.cells[k].textContent = spell(i); });
      line.cells[12].className = `n ${net(i) > 0 ? "up" : net(i) < 0 ? "down" : ""}`.trim();
      return line;
    }));
    const sum = rows.reduce((all, i) => all + net(i), 0), last = Math.min((page + 1) * size, rows.length);
    find("told").textContent = rows.length
      ? `${group(String(page * size + 1))} to ${group(String(last))} of ${group(String(rows.length))} trades, ${money(sum, true)} net`
      : "no such trades";
    find("before").disabled = page === 0;
    find("after").disabled = last === rows.length;
  };
  const choose = () => {
    const { strategy, symbol, side, result } = Object.fromEntries(new FormData(filters));
    const wanted = texts.strategy.indexOf(strategy), named = texts.symbol.indexOf(symbol);
    rows = Array.from({ length: n }, (_, i) => i).filter((i) =>
      (!strategy || c.strategy[i] === wanted) && (!symbol || c.symbol[i] === named) &&
      (!side || c.side[i] === Number(side)) && (!result || results[result](i)));
    rows.sort((a, b) => { const x = value[by](a), y = value[by](b); return (x < y ? -turn : x > y ? turn : a - b); });
    page = 0;
    heads.forEach((head, k) => head.setAttribute("aria-sort", k !== by ? "none" : turn > 0 ? "ascending" : "descending"));
    draw();
  };
  heads.forEach((head, k) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.onclick = () => { turn = by === k ? -turn : 1; by = k; choose(); };
    head.replaceChildren(button);
  });
  filters.onchange = choose;
  filters.onsubmit = (event) => event.preventDefault();
  find("before").onclick = () => { page--; draw(); };
  find("after").onclick = () => { page++; draw(); };
  find("first").hidden = true;
  filters.hidden = find("pages").hidden = false;
  choose();
})();
