"use strict";
// Plots take their colours from the style sheet when they are painted.
const repaint = () => {
  for (const view of Object.values(Bokeh.index)) view.resize_layout?.();
  for (const view of Object.values(Bokeh.index)) view.invalidate_render?.();
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

for (const select of document.querySelectorAll("select[data-chooses]")) {
  select.addEventListener("change", () => {
    const chooser = Bokeh.documents[0].get_model_by_name(`choose-${select.dataset.chooses}`);
    chooser.execute(undefined, {index: select.selectedIndex});
  });
}
