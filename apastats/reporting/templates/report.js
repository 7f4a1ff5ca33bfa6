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
  function say(text) { document.getElementById("live").textContent = text; }
  document.addEventListener("click", function (event) {
    var button = event.target.closest("button[data-copy]");
    if (!button) { return; }
    var figure = document.getElementById(button.dataset.table);
    var table = figure.querySelector("table");
    var kind = button.dataset.copy;
    var text = kind === "md" ? asMarkdown(table) : kind === "tex" ? asLatex(table) : asCsv(figure);
    var area = figure.querySelector("textarea.out");
    area.value = text;
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
