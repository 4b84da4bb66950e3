// The heat map: pipelines over time, drawn by ECharts; the cells come from the server, so that there are few.

import { CustomChart } from "echarts/charts";
import { DataZoomInsideComponent, GridComponent, TooltipComponent } from "echarts/components";
import { init, use, type ECharts } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import type { Cell, Counts, Pipeline, Row } from "./api";
import { plural } from "./dom";
import { colourOf, isDark, words } from "./theme";
import { iso, spanText } from "./time";

use([CustomChart, GridComponent, DataZoomInsideComponent, TooltipComponent, CanvasRenderer]);

// where a state that needs a look has few windows of a cell, it still has to be seen
const LEAST_SHARE = 0.25;
const NARROW = 640;

export interface Chosen { row: number; cell: number }

interface Events {
  zoom(left: number, right: number): void;
  open(row: Row, cell: Cell): void;
  select(row: Row, first: Cell, last: Cell): void;
  say(text: string): void;
}

export class HeatMap {
  private readonly chart: ECharts;
  private rows: Row[] = [];
  private pipelines = new Map<string, Pipeline>();
  private order: string[] = [];
  private span: [number, number] = [0, 1];
  private cursor: Chosen | null = null;
  private anchor: Chosen | null = null;
  private redrawing = false;

  constructor(private readonly place: HTMLElement, private readonly events: Events) {
    this.chart = init(place, undefined, { renderer: "canvas" });
    this.chart.on("click", (clicked) => {
      const [row, cell] = clicked.data as [number, number];
      const shift = (clicked.event?.event as MouseEvent | undefined)?.shiftKey ?? false;
      this.move({ row, cell }, shift);
      if (!shift) this.open();
    });
    this.chart.on("datazoom", () => {
      if (this.redrawing) return;
      const zoom = (this.chart.getOption()["dataZoom"] as { start: number; end: number }[])[0];
      if (zoom && (zoom.start > 0 || zoom.end < 100)) this.events.zoom(zoom.start / 100, zoom.end / 100);
    });
    // for whoever looks at the browser's timeline, and the test that does
    this.chart.on("finished", () => {
      if (performance.getEntriesByName("influx-rollup-draw", "mark").length) performance.measure("influx-rollup-drawn", "influx-rollup-draw");
      performance.clearMarks("influx-rollup-draw");
    });
    place.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.chart.resize()).observe(place);
  }

  /** How many cells a row may have, so that each has some pixels and the chart stays quick. */
  cells(rows: number): number {
    const width = Math.max(200, this.place.clientWidth - 40);
    return Math.max(40, Math.min(600, Math.floor(width / 3), Math.floor(24_000 / Math.max(1, rows))));
  }

  show(rows: Row[], pipelines: Map<string, Pipeline>, span: [number, number], urgency: string[]): void {
    this.rows = rows;
    this.pipelines = pipelines;
    this.order = urgency;
    this.span = span;
    performance.clearMeasures("influx-rollup-drawn");
    performance.mark("influx-rollup-draw");
    if (this.cursor && !this.rows[this.cursor.row]?.cells[this.cursor.cell]) this.cursor = this.anchor = null;
    this.draw();
  }

  draw(): void {
    const narrow = this.place.clientWidth < NARROW;
    const high = narrow ? 46 : 28;
    this.place.style.height = `${Math.max(1, this.rows.length) * high + 44}px`;
    this.chart.resize();
    const ink = isDark() ? "#e6e9ee" : "#1f2933";
    const data = this.rows.flatMap((row, y) => row.cells.map((cell, x) => [y, x, cell[0], cell[1], worst(cell[2], this.order)]));
    this.redrawing = true;
    this.chart.setOption(
      {
        animation: false,
        useUTC: true,
        textStyle: { fontFamily: "system-ui, sans-serif" },
        grid: { left: narrow ? 6 : 16, right: 12, top: 6, bottom: 34, containLabel: !narrow },
        tooltip: {
          renderMode: "richText",
          confine: true,
          backgroundColor: isDark() ? "#2b333d" : "#ffffff",
          borderColor: isDark() ? "#66707c" : "#8a94a0",
          textStyle: { color: ink, fontSize: 12 },
          formatter: (told: { data: number[] }) => this.text({ row: told.data[0] ?? 0, cell: told.data[1] ?? 0 }),
        },
        xAxis: {
          type: "time",
          min: this.span[0],
          max: this.span[1],
          axisLabel: { color: ink, hideOverlap: true },
          axisLine: { lineStyle: { color: ink } },
          splitLine: { show: false },
        },
        yAxis: {
          type: "category",
          inverse: true,
          data: this.rows.map((row) => row.pipeline),
          axisTick: { show: false },
          axisLine: { show: false },
          axisLabel: {
            color: ink,
            interval: 0,
            inside: narrow,
            margin: narrow ? 0 : 10,
            verticalAlign: narrow ? "bottom" : "middle",
            align: narrow ? "left" : "right",
            padding: narrow ? [0, 0, 8, 0] : 0,
            width: narrow ? Math.max(120, this.place.clientWidth - 30) : 300,
            overflow: "truncate",
            formatter: (name: string) => this.label(name),
          },
          z: 10,
        },
        dataZoom: [{ type: "inside", filterMode: "none", start: 0, end: 100, zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false, minSpan: 1 }],
        series: [
          {
            type: "custom",
            clip: true,
            encode: { x: [2, 3], y: 0, tooltip: [] },
            data,
            renderItem: (params: unknown, api: RenderApi) => this.rectangle(params, api, narrow),
          },
        ],
      },
      { notMerge: true },
    );
    this.redrawing = false;
  }

  private label(name: string): string {
    const tier = this.pipelines.get(name)?.tier ?? 0;
    return "\u2007".repeat(tier * 2) + (tier ? "\u21b3 " : "") + name;
  }

  private rectangle(_params: unknown, api: RenderApi, narrow: boolean): object {
    const y = api.value(0);
    const x = api.value(1);
    const cell = this.rows[y]?.cells[x];
    if (!cell) return { type: "group", children: [] };
    const [left, middle] = api.coord([cell[0], y]);
    const [right] = api.coord([cell[1], y]);
    const [, band] = api.size([0, 1]);
    const high = narrow ? band * 0.52 : band * 0.78;
    const top = middle - band / 2 + (narrow ? band * 0.42 : band * 0.11);
    // a hair of space between windows that are wide enough
    const wide = Math.max(1, right - left - (right - left > 6 ? 1 : 0));
    let from = top;
    const parts = shares(cell[2], this.order).map(([state, share]) => {
      const part = { type: "rect", shape: { x: left, y: from, width: wide, height: high * share }, style: { fill: colourOf(state) } };
      from += high * share;
      return part;
    });
    const frame = this.frame(y, x);
    const shape = { x: left, y: top, width: wide, height: high };
    const outline = frame ? [{ type: "rect", shape, style: { fill: "none", stroke: isDark() ? "#ffffff" : "#000000", lineWidth: frame }, z2: 9 }] : [];
    return { type: "group", children: [...parts, ...outline] };
  }

  private frame(row: number, cell: number): number {
    if (!this.cursor) return 0;
    if (this.cursor.row === row && this.cursor.cell === cell) return 2.5;
    const anchor = this.anchor ?? this.cursor;
    const [first, last] = [Math.min(anchor.cell, this.cursor.cell), Math.max(anchor.cell, this.cursor.cell)];
    return anchor.row === row && cell >= first && cell <= last && anchor.cell !== this.cursor.cell ? 1.5 : 0;
  }

  private text({ row, cell }: Chosen): string {
    const found = this.rows[row];
    const [start, stop, counts] = found?.cells[cell] ?? [0, 1, {}];
    const told = this.order.filter((state) => counts[state]).map((state) => `${words(state)}: ${plural(counts[state] ?? 0, "window")}`);
    return [found?.pipeline ?? "", `${spanText({ start: iso(start), stop: iso(stop) })} UTC`, ...told].join("\n");
  }

  private move(to: Chosen, extend: boolean): void {
    this.anchor = extend && this.anchor?.row === to.row ? this.anchor : to;
    this.cursor = to;
    this.draw();
    this.events.say(this.text(to).replaceAll("\n", ", "));
    const row = this.rows[to.row];
    const [first, last] = [Math.min(this.anchor.cell, to.cell), Math.max(this.anchor.cell, to.cell)];
    const [one, other] = [row?.cells[first], row?.cells[last]];
    if (row && one && other && extend) this.events.select(row, one, other);
  }

  private open(): void {
    const row = this.cursor && this.rows[this.cursor.row];
    const cell = row && this.cursor && row.cells[this.cursor.cell];
    if (row && cell) this.events.open(row, cell);
  }

  private key(event: KeyboardEvent): void {
    const at = this.cursor ?? { row: 0, cell: Math.max(0, (this.rows[0]?.cells.length ?? 1) - 1) };
    const last = (row: number) => Math.max(0, (this.rows[row]?.cells.length ?? 1) - 1);
    const up = Math.max(0, at.row - 1);
    const down = Math.min(this.rows.length - 1, at.row + 1);
    const moves: Record<string, () => Chosen> = {
      ArrowLeft: () => ({ row: at.row, cell: Math.max(0, at.cell - (this.cursor ? 1 : 0)) }),
      ArrowRight: () => ({ row: at.row, cell: Math.min(last(at.row), at.cell + 1) }),
      ArrowUp: () => this.beside(at, up),
      ArrowDown: () => this.beside(at, down),
      Home: () => ({ row: at.row, cell: 0 }),
      End: () => ({ row: at.row, cell: last(at.row) }),
    };
    const move = moves[event.key];
    if (move && this.rows.length) this.move(move(), event.shiftKey);
    else if (event.key === "Enter" || event.key === " ") this.open();
    else if (event.key === "+" || event.key === "=") this.events.zoom(0.25, 0.75);
    else if (event.key === "-") this.events.zoom(-0.5, 1.5);
    else return;
    event.preventDefault();
  }

  /** The cell of another pipeline at the same time. */
  private beside(at: Chosen, row: number): Chosen {
    const time = this.rows[at.row]?.cells[at.cell]?.[0] ?? this.span[1];
    const cells = this.rows[row]?.cells ?? [];
    const after = cells.findIndex((cell) => cell[1] > time);
    return { row, cell: after < 0 ? Math.max(0, cells.length - 1) : after };
  }
}

interface RenderApi {
  value(dimension: number): number;
  coord(place: [number, number]): [number, number];
  size(length: [number, number]): [number, number];
}

function worst(counts: Counts, order: string[]): string {
  return order.find((state) => counts[state]) ?? "not_due";
}

/** Which part of a cell each state has, the most urgent at the top and never too small to be seen. */
export function shares(counts: Counts, order: string[]): [string, number][] {
  const states = order.filter((state) => counts[state]);
  const all = states.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  const least = Math.min(LEAST_SHARE, 1 / Math.max(1, states.length));
  const raised = states.map((state): [string, number] => [state, Math.max(least, (counts[state] ?? 0) / all)]);
  const sum = raised.reduce((total, [, share]) => total + share, 0);
  return raised.map(([state, share]) => [state, share / sum]);
}
