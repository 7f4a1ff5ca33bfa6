"use strict";
(() => {
  const boards = JSON.parse(document.getElementById("data").textContent);
  const details = document.getElementById("details");
  document.querySelectorAll("section.board").forEach((section, which) => {
    const data = boards[which], table = section.querySelector("table"), body = table.tBodies[0];
    const rows = [...body.rows], search = section.querySelector("input[type=search]");
    const count = section.querySelector(".count");
    const alike = (k, j) => {
      if (!data.alike.length) return true;
      const digit = parseInt(data.alike[k][j >> 2], 16);
      return (digit >> (3 - (j & 3))) & 1;
    };
    const find = () => {
      const wanted = search.value.trim().toLowerCase();
      let n = 0;
      rows.forEach(row => {
        row.hidden = !row.dataset.model.toLowerCase().includes(wanted);
        if (!row.hidden) n++;
      });
      count.textContent = `${n} of ${rows.length} models`;
    };
    search.addEventListener("input", find);
    section.querySelectorAll("th button").forEach(button => button.addEventListener("click", () => {
      const head = button.closest("th"), key = button.dataset.key;
      const up = head.getAttribute("aria-sort") !== "ascending";
      section.querySelectorAll("th").forEach(h => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = row => key === "model" ? row.dataset.model : Number(row.dataset[key]);
      const sign = up ? 1 : -1;
      [...rows].sort((a, b) => {
        const x = value(a), y = value(b);
        return sign * (key === "model" ? x.localeCompare(y) : x - y);
      }).forEach(row => body.append(row));
    }));
    const clear = () => {
      table.classList.remove("some");
      rows.forEach(row => row.classList.remove("chosen", "apart"));
      details.hidden = true;
    };
    const show = row => {
      clear();
      const k = Number(row.dataset.k), list = document.createElement("ul");
      row.classList.add("chosen");
      let n = 0;
      if (data.alike.length) {
        table.classList.add("some");
        rows.forEach(other => {
          const same = alike(k, Number(other.dataset.k));
          other.classList.toggle("apart", !same);
          if (same && other !== row) n++;
        });
      }
      const told = document.createElement("p");
      told.textContent = row.dataset.told + (data.alike.length ? `; not told apart from ${n} models` : "");
      data.items.forEach((item, j) => {
        const line = document.createElement("li"), score = data.scores[k][j];
        line.textContent = `${item}: ${score === null ? "no score" : score}`;
        if (score === null) line.className = "hole";
        list.append(line);
      });
      details.replaceChildren(told, list);
      details.hidden = false;
    };
    rows.forEach(row => {
      row.addEventListener("mouseenter", () => show(row));
      row.addEventListener("focus", () => show(row));
    });
    table.addEventListener("mouseleave", clear);
    table.addEventListener("keydown", event => { if (event.key === "Escape") clear(); });
    find();
  });
})();
