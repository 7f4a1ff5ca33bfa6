"use strict";
(function () {
  var root = document.documentElement;
  var theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", function () {
    var dark = root.dataset.theme ? root.dataset.theme === "dark"
      : window.matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  if (window.matchMedia("(max-width: 60rem)").matches) {
    document.querySelector(".contents details").open = false;
  }
  var TEX = { "\\": "\\textbackslash{}", "{": "\\{", "}": "\\}", "$": "\\$", "&": "\\&", "#": "\\#", "%": "\\%",
    "_": "\\_", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}",
    "|": "\\textbar{}", "\u2212": "$-$", "\u2013": "--", "\u00a0": "~", "\n": " " };
  function tex(s) { return s.replace(/[\\{}$&#%_~^<>|\u2212\u2013\u00a0\n]/g, function (c) { return TEX[c]; }); }
  function md(s) { return s.replace(/([\\`*_\[\]<>#|~$^&])/g, "\\$1").replace(/\n/g, " "); }
  function cells(table) {
    return Array.from(table.rows).map(function (r) {
      return Array.from(r.cells).map(function (c) { return c.textContent; });
    });
  }
  function numeric(table) {
    return Array.from(table.tHead.rows[0].cells).map(function (c) { return c.classList.contains("num"); });
  }
  function asMarkdown(table) {
    var rows = cells(table).map(function (r) { return "| " + r.map(md).join(" | ") + " |"; });
    rows.splice(1, 0, "|" + numeric(table).map(function (n) { return n ? "---:" : ":---"; }).join("|") + "|");
    return rows.join("\n") + "\n";
  }
  function asLatex(table) {
    var rows = cells(table).map(function (r) { return r.map(tex).join(" & ") + " \\\\"; });
    var spec = numeric(table).map(function (n) { return n ? "r" : "l"; }).join("");
    return ["% needs \\usepackage{booktabs}", "\\begin{table}", "\\caption{" + tex(table.caption.textContent.trim()) + "}",
      "\\begin{tabular}{" + spec + "}", "\\toprule", rows[0], "\\midrule"].concat(rows.slice(1),
      ["\\bottomrule", "\\end{tabular}", "\\end{table}", ""]).join("\n");
  }
  function asCsv(figure) {
    var href = figure.querySelector("a[download]").getAttribute("href");
    return decodeURIComponent(href.slice(href.indexOf(",") + 1));
  }
  // a link or a print opens what is folded
  function unfold(element) {
    for (var e = element; e; e = e.parentElement) { if (e.tagName === "DETAILS") { e.open = true; } }
  }
  function target() {
    var found = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (found) {
      var inner = found.querySelector("details.topic");
      if (inner) { inner.open = true; }
      unfold(found);
      found.scrollIntoView();
    }
  }
  window.addEventListener("hashchange", target);
  target();
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details.topic, details.rows").forEach(function (d) { d.open = true; });
  });
  function value(text) {
    var number = text.replace(/\u2212/g, "-").match(/-?(\d+\.?\d*|\.\d+)/);
    return number ? parseFloat(number[0]) : NaN;
  }
  function sortBy(table, column, button) {
    var head = button.closest("th"), body = table.tBodies[0], down = head.getAttribute("aria-sort") === "ascending";
    var digits = head.classList.contains("num");
    var rows = Array.from(body.rows).map(function (row, i) {
      var text = row.cells[column].textContent;
      return { row: row, at: i, key: digits ? value(text) : text };
    });
    rows.sort(function (a, b) {
      var order = digits ? (isNaN(a.key) - isNaN(b.key)) || a.key - b.key
        : a.key.localeCompare(b.key, "en", { numeric: true });
      return (down ? -order : order) || a.at - b.at;
    });
    rows.forEach(function (r) { body.appendChild(r.row); });
    Array.from(table.tHead.rows[0].cells).forEach(function (c) { c.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    say("Sorted by " + button.textContent + (down ? ", descending." : ", ascending."));
  }
  document.querySelectorAll("figure.table table").forEach(function (table) {
    if (table.tBodies[0].rows.length < 3) { return; }
    Array.from(table.tHead.rows[0].cells).forEach(function (cell, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      while (cell.firstChild) { button.appendChild(cell.firstChild); }
      button.addEventListener("click", function () { sortBy(table, column, button); });
      cell.appendChild(button);
    });
    var fold = table.closest("details.rows");
    if (!fold) { return; }
    var find = document.createElement("input");
    find.type = "search";
    find.className = "find";
    find.placeholder = "Search the rows";
    find.setAttribute("aria-label", "Search the rows of " + table.caption.textContent.slice(0, 40));
    find.addEventListener("input", function () {
      var words = find.value.toLowerCase().split(/\s+/).filter(Boolean), shown = 0;
      Array.from(table.tBodies[0].rows).forEach(function (row) {
        var text = row.textContent.toLowerCase();
        row.hidden = !words.every(function (w) { return text.indexOf(w) >= 0; });
        shown += row.hidden ? 0 : 1;
      });
      say(shown === 1 ? "1 row." : shown + " rows.");
    });
    fold.insertBefore(find, fold.querySelector(".scroll"));
  });
  function say(text) { document.getElementById("live").textContent = text; }
  document.addEventListener("click", function (event) {
    var button = event.target.closest("button[data-copy], button[data-text]");
    if (!button) { return; }
    var area;
    if (button.dataset.text) {
      var texts = document.getElementById(button.dataset.of);
      texts.querySelectorAll("textarea").forEach(function (t) { t.hidden = true; });
      area = texts.querySelector("[data-as=" + button.dataset.text + "]");
    } else {
      var figure = document.getElementById(button.dataset.table);
      var table = figure.querySelector("table");
      var kind = button.dataset.copy;
      area = figure.querySelector("textarea.out");
      area.value = kind === "md" ? asMarkdown(table) : kind === "tex" ? asLatex(table) : asCsv(figure);
    }
    area.hidden = false;
    area.select();
    var copied = false;
    try { copied = document.execCommand("copy"); } catch (error) { copied = false; }
    button.focus();
    say(copied ? "Copied." : "Ready to copy from the text field.");
    var label = button.dataset.label || button.textContent;
    button.dataset.label = label;
    button.textContent = copied ? "Copied" : "Select and copy below";
    window.setTimeout(function () { button.textContent = label; }, 1600);
  });
})();
