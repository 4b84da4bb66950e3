// The points of a pipeline's source: how late they come, and which series are silent.

import { BarChart } from "echarts/charts";
import { GridComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import type { Connection, Lateness, Silent, Span } from "./api";
import { h, plural, table } from "./dom";
import { colourOf, isDark } from "./theme";
import { shortTime } from "./time";

use([BarChart, GridComponent, TooltipComponent, CanvasRenderer]);

export async function pointsPanel(connection: Connection, pipeline: string, span: Span): Promise<HTMLElement> {
  const [lateness, silent] = await Promise.all([connection.lateness(pipeline, span), connection.silent(pipeline)]);
  return h("div", {}, h("h2", { tabindex: -1 }, `${pipeline}: points`), ...latenessPart(lateness), silentPart(silent));
}

function latenessPart(told: Lateness): HTMLElement[] {
  const notes = told.notes.map((one) => h("p", { class: "note" }, `${one}.`));
  const row = told.rows[0];
  if (!row) return [h("h3", {}, "Lateness"), ...notes, h("p", {}, "Nothing is known of how late points came in this time.")];
  const percent = (share: number) => `${(100 * share).toFixed(share > 0.999 && share < 1 ? 3 : 1)} %`;
  const chart = h("div", { class: "small-chart", role: "img", "aria-label": "Share of the points that each lateness catches; the table below has the numbers" });
  // the chart takes the width that it has when it is in the page
  requestAnimationFrame(() => drawCaught(chart, row.caught));
  return [
    h("h3", {}, "Lateness"),
    h("p", {}, `${row.late_points.toLocaleString("en")} of ${plural(row.points, "point")} (${percent(row.late_share)}) came after the first commit of their window, with lateness=${row.lateness}.`),
    chart,
    table("Points that a lateness catches", ["Lateness", "Surely", "Perhaps"], row.caught.map((one) => [one.lateness, percent(one.surely), percent(one.perhaps)])),
    ...notes,
  ];
}

function drawCaught(place: HTMLElement, caught: Lateness["rows"][number]["caught"]): void {
  const chart = init(place);
  const ink = isDark() ? "#e6e9ee" : "#1f2933";
  const bars = (name: string, share: (one: { surely: number; perhaps: number }) => number, fill: string) => ({
    name, type: "bar", stack: "caught", data: caught.map((one) => +(100 * share(one)).toFixed(3)), itemStyle: { color: fill },
  });
  chart.setOption({
    animation: false,
    grid: { left: 8, right: 8, top: 12, bottom: 8, containLabel: true },
    tooltip: { trigger: "axis", renderMode: "richText" },
    xAxis: { type: "category", data: caught.map((one) => one.lateness), axisLabel: { color: ink } },
    yAxis: { type: "value", max: 100, axisLabel: { color: ink, formatter: "{value} %" } },
    series: [
      bars("surely caught", (one) => one.surely, colourOf("archived")),
      bars("perhaps", (one) => Math.max(0, one.perhaps - one.surely), colourOf("planned")),
    ],
  });
  new ResizeObserver(() => chart.resize()).observe(place);
}

function silentPart(told: Silent): HTMLElement {
  const head = h("h3", {}, "Silent series");
  const all = plural(told.series_total, "series").replace("seriess", "series");
  if (!told.silent_total) return h("div", {}, head, h("p", {}, `None: all of ${all} had points since ${shortTime(told.since)} UTC.`));
  const rows = told.series.map((one) => [Object.entries(one.tags).map(([key, value]) => `${key}=${value}`).join(", ") || "(no tags)", shortTime(one.last_seen)]);
  const caption = `${told.silent_total.toLocaleString("en")} of ${all} had no point since ${shortTime(told.since)} UTC`;
  return h("div", {}, head, table(caption, ["Series", "Last seen (UTC)"], rows));
}
