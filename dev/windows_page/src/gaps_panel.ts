// The same as the heat map in words: a table of pipelines and one of gaps, for screen readers and everybody else.

import type { Gap, Pipeline, Row } from "./api";
import { button, h, plural, table } from "./dom";
import { words } from "./theme";
import { spanText } from "./time";

const MOST = 100;

export function pipelineTable(rows: Row[], pipelines: Map<string, Pipeline>, order: string[], choose: (pipeline: string) => void): HTMLElement {
  const states = order.filter((state) => rows.some((row) => row.states[state]));
  return table(
    "Windows of each pipeline",
    ["Pipeline", "Tier", "Every", "Windows", ...states.map(words), "Choose"],
    rows.map((row) => {
      const known = pipelines.get(row.pipeline);
      return [
        row.pipeline, String(known?.tier ?? 0), known?.every ?? "", row.windows.toLocaleString("en"),
        ...states.map((state) => (row.states[state] ?? 0).toLocaleString("en")),
        button("Cost and commands", () => choose(row.pipeline), { "aria-label": `Cost and commands of ${row.pipeline}` }),
      ];
    }),
  );
}

export function gapTable(rows: Row[], choose: (pipeline: string, gap: Gap) => void): HTMLElement {
  const gaps = rows.flatMap((row) => row.gaps.map((gap) => ({ pipeline: row.pipeline, gap })));
  const total = rows.reduce((sum, row) => sum + row.gaps_total, 0);
  if (!total) return h("p", {}, "No gaps: every window that is due is committed.");
  gaps.sort((one, other) => (one.gap.start < other.gap.start ? 1 : -1));
  const shown = gaps.slice(0, MOST);
  return table(
    `Gaps: ${plural(total, "run")} of windows to look at${total > shown.length ? `, the newest ${shown.length}` : ""}`,
    ["Pipeline", "From and to (UTC)", "Windows", "State", "Choose"],
    shown.map(({ pipeline, gap }) => [
      pipeline, spanText(gap), gap.windows.toLocaleString("en"), words(gap.state),
      button("Choose", () => choose(pipeline, gap), { "aria-label": `Choose ${pipeline} ${spanText(gap)}` }),
    ]),
  );
}
