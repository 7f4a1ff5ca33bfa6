"use strict";
(function () {
  // a chart is drawn when it is opened; "ast" has expressions interpreted, so that nothing is evaluated as code
  var options = { ast: true, renderer: "svg", actions: { export: true, source: false, compiled: false, editor: false } };
  document.querySelectorAll("details.interactive").forEach(function (part) {
    part.addEventListener("toggle", function () {
      if (!part.open || part.dataset.drawn) { return; }
      part.dataset.drawn = "1";
      var spec = JSON.parse(part.querySelector("script").textContent);
      window.vegaEmbed(part.querySelector(".vega"), spec, options).then(function () { part.dataset.drawn = "2"; });
    });
  });
})();
