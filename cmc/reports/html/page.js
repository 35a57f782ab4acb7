// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"use strict";
// Plots take their colours from the style sheet when they are painted.
const repaint = () => {
  for (const view of Object.values(Bokeh.index)) view.resize_layout?.();
  for (const view of Object.values(Bokeh.index)) view.invalidate_render?.();
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

// Plots keep the width that they have on the screen: on paper they are made to fit.
const PAPER = 700;
const zoomed = (factor) => {
  for (const div of document.querySelectorAll("figure > div > *")) div.style.zoom = factor(div);
};
addEventListener("beforeprint", () => zoomed((div) => Math.min(1, PAPER / div.offsetWidth)));
addEventListener("afterprint", () => zoomed(() => ""));

for (const select of document.querySelectorAll("select[data-chooses]")) {
  select.addEventListener("change", () => {
    const chooser = Bokeh.documents[0].get_model_by_name(`choose-${select.dataset.chooses}`);
    chooser.execute(undefined, {index: select.selectedIndex});
  });
}
