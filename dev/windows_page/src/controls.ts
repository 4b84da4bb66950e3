// The controls above the heat map.

import type { StateInfo } from "./api";
import { button, h } from "./dom";
import { colourOf, switchTheme, words } from "./theme";
import { PRESETS, follows, forInput } from "./time";
import { EMPTY, type View } from "./url_state";

export interface Acts {
  change(view: Partial<View>): void;
  shift(left: number, right: number): void;
  redraw(): void;
}

export function controls(view: View, connections: string[], span: [number, number], acts: Acts): HTMLElement {
  const [from, to] = span;
  const conn = h("select", { id: "conn", change: () => acts.change({ ...EMPTY, conn: conn.value, last: view.last }) });
  for (const name of connections) conn.append(h("option", { value: name, selected: name === view.conn }, name));
  const query = h("input", { id: "q", type: "search", value: view.q, placeholder: "part of a name", input: () => acts.change({ q: query.value }) });
  const start = h("input", { id: "from", type: "datetime-local", value: forInput(from) });
  const stop = h("input", { id: "to", type: "datetime-local", value: forInput(to) });
  const show = button("Show", () => acts.change({ from: `${start.value}:00Z`, to: `${stop.value}:00Z` }));
  const presets = PRESETS.map(([last, name]) =>
    button(name, () => acts.change({ last, from: "", to: "" }), { "aria-pressed": String(follows(view) && view.last === last) }),
  );
  const wrong = h("input", { id: "wrong", type: "checkbox", checked: view.wrong, change: () => acts.change({ wrong: wrong.checked }) });
  const asTable = h("input", { id: "table", type: "checkbox", checked: view.table, change: () => acts.change({ table: asTable.checked }) });
  const field = (label: string, control: HTMLElement) => h("label", { for: control.id }, `${label} `, control);
  return h(
    "div",
    { class: "controls" },
    h("div", { class: "row" }, field("Connection", conn), field("Pipelines", query), field("Only what is wrong", wrong), field("As a table", asTable)),
    h("div", { class: "row", role: "group", "aria-label": "Time" }, h("span", {}, "Last"), ...presets),
    h("div", { class: "row", role: "group", "aria-label": "Move and zoom" },
      button("Earlier", () => acts.shift(-0.5, 0.5)), button("Later", () => acts.shift(0.5, 1.5)),
      button("Zoom in", () => acts.shift(0.25, 0.75)), button("Zoom out", () => acts.shift(-0.5, 1.5)),
      field("From (UTC)", start), field("to", stop), show,
      button("Dark or light", () => switchTheme(acts.redraw)),
    ),
  );
}

export function legend(states: StateInfo[]): HTMLElement {
  return h(
    "ul",
    { class: "legend", "aria-label": "States" },
    ...states.map((one) => {
      const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.background = colourOf(one.state);
      return h("li", { title: one.words }, swatch, words(one.state));
    }),
  );
}
