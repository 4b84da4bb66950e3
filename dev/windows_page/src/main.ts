// The page: reads what is asked for from the URL, asks the API, draws, and follows the clock.

import { ApiError, Connection, type Cell, type Grid, type Pipeline, type Row, type Span, type Start, type Verified, getStart } from "./api";
import { controls, legend } from "./controls";
import { button, h, plural } from "./dom";
import { gapTable, pipelineTable } from "./gaps_panel";
import { HeatMap } from "./heat_map";
import { planPanel } from "./plan_panel";
import { pointsPanel } from "./points_panel";
import { applyTheme } from "./theme";
import { follows, iso, spanOf, zoomed } from "./time";
import { type View, readView, writeView } from "./url_state";
import { windowPanel } from "./window_panel";

// changes of a running backfill are to be seen within 5 s; a slow server is asked less often
const POLL_MS = 2_500;
const TYPING_MS = 250;

class Page {
  private view: View = readView();
  private readonly bar = h("div");
  private readonly keys = h("div");
  private readonly status = h("p", { role: "status", "aria-live": "polite", class: "status" });
  private readonly spoken = h("p", { class: "hidden-text", "aria-live": "assertive" });
  private readonly error = h("p", { role: "alert", class: "error" });
  private readonly chart = h("div", { class: "chart", tabindex: 0, role: "application", "aria-label": "Heat map of windows. Arrow keys move, Enter opens, plus and minus zoom, Shift and an arrow chooses; the tables below say the same." });
  private readonly tables = h("div", { class: "tables" });
  private readonly panel = h("section", { class: "panel", "aria-label": "Details" });
  private readonly map: HeatMap;
  private connection: Connection | null = null;
  private pipelines = new Map<string, Pipeline>();
  private grid: Grid | null = null;
  private dirty = new Map<string, { span: Span; windows: Verified }>();
  private asked: AbortController | null = null;
  private timer = 0;
  private clockOffset = 0;

  constructor(root: HTMLElement, private readonly start: Start) {
    root.replaceChildren(
      h("main", {}, h("header", {}, h("h1", {}, "InfluxDB windows"), h("a", { href: "../", target: "_top" }, "Airflow")),
        this.bar, this.error, this.keys, this.chart, this.status, this.spoken, this.panel, this.tables),
    );
    this.map = new HeatMap(this.chart, {
      zoom: (left, right) => this.shift(left, right),
      open: (row, cell) => this.open(row, cell),
      select: (row, first, last) => void this.showPlan(row.pipeline, { start: iso(first[0]), stop: iso(last[1]) }),
      say: (text) => (this.spoken.textContent = text),
    });
    applyTheme(() => this.redraw());
    document.addEventListener("visibilitychange", () => this.schedule(0));
    if (!start.connections.includes(this.view.conn)) this.view.conn = start.connections[0] ?? "";
    void this.connect();
  }

  private get span(): [number, number] {
    return spanOf(this.view, Date.now() + this.clockOffset);
  }

  private async connect(): Promise<void> {
    if (!this.view.conn) {
      this.error.textContent = "No connection of the type influx_rollup or influxdb may be read: add one, or name one in [influx_rollup] page_connections.";
      return;
    }
    this.connection = new Connection(this.view.conn, this.view.ledger);
    this.drawControls();
    try {
      const known = await this.connection.pipelines();
      this.pipelines = new Map(known.pipelines.map((one) => [one.pipeline, one]));
    } catch (error) {
      this.fail(error);
    }
    await this.load();
    if (this.view.pipeline && this.view.start) await this.showWindow(this.view.pipeline, this.view.start);
  }

  private change(part: Partial<View>): void {
    const other = part.conn !== undefined && part.conn !== this.view.conn;
    this.view = { ...this.view, ...part };
    writeView(this.view);
    if (other) {
      this.panel.replaceChildren();
      void this.connect();
    } else if (part.q !== undefined || part.wrong !== undefined || part.table !== undefined) {
      // typing keeps its place
      this.redraw();
      this.schedule(TYPING_MS);
    } else {
      this.drawControls();
      void this.load();
    }
  }

  private shift(left: number, right: number): void {
    const [from, to] = zoomed(this.span, left, right);
    this.change({ from: iso(Math.round(from)), to: iso(Math.round(to)) });
  }

  private schedule(ms: number): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.load(), ms);
  }

  private get shown(): string[] {
    const part = this.view.q.toLowerCase();
    return [...this.pipelines.keys()].filter((name) => name.toLowerCase().includes(part));
  }

  private async load(): Promise<void> {
    if (!this.connection || document.hidden) return;
    this.asked?.abort();
    const asked = (this.asked = new AbortController());
    const [from, to] = this.span;
    const names = this.shown;
    const some = names.length < this.pipelines.size ? names : undefined;
    const began = performance.now();
    try {
      if (some?.length === 0) this.grid = { interval: { start: iso(from), stop: iso(to) }, now: iso(to), rows: [] };
      else this.grid = await this.connection.grid({ start: iso(from), stop: iso(to) }, this.map.cells(names.length), some, asked.signal);
      if (this.grid.rows.some((row) => !this.pipelines.has(row.pipeline))) {
        const known = await this.connection.pipelines();
        this.pipelines = new Map(known.pipelines.map((one) => [one.pipeline, one]));
      }
      this.clockOffset = some?.length === 0 ? this.clockOffset : Date.parse(this.grid.now) - Date.now();
      this.error.textContent = "";
      this.redraw();
    } catch (error) {
      if (asked.signal.aborted) return;
      this.fail(error);
    }
    this.schedule(Math.max(POLL_MS, 4 * (performance.now() - began)));
  }

  private fail(error: unknown): void {
    this.error.textContent = error instanceof Error ? error.message : String(error);
    if (error instanceof ApiError && error.status === 401) this.error.append(" ", h("a", { href: "../", target: "_top" }, "Sign in"));
  }

  private drawControls(): void {
    this.bar.replaceChildren(
      controls(this.view, this.start.connections, this.span, {
        change: (part) => this.change(part),
        shift: (left, right) => this.shift(left, right),
        redraw: () => this.redraw(),
      }),
    );
  }

  private get rows(): Row[] {
    const wrong = this.start.states.filter((one) => one.is_wrong).map((one) => one.state);
    const named = new Set(this.shown);
    return (this.grid?.rows ?? [])
      .filter((row) => named.has(row.pipeline))
      .map((row) => this.withDirty(row))
      .filter((row) => !this.view.wrong || wrong.some((state) => row.states[state]));
  }

  /** What a comparison has found since; the ledger knows nothing of it. */
  private withDirty(row: Row): Row {
    const starts = (this.dirty.get(row.pipeline)?.windows.dirty ?? []).map((one) => Date.parse(one.window.start));
    if (!starts.length) return row;
    const states = { ...row.states };
    const cells = row.cells.map((cell): Cell => {
      const [start, stop, counts] = cell;
      let left = starts.filter((at) => at >= start && at < stop).length;
      if (!left) return cell;
      const changed = { ...counts };
      for (const state of ["committed", "archived"]) {
        const moved = Math.min(left, changed[state] ?? 0);
        if (!moved) continue;
        left -= moved;
        changed[state] = (changed[state] ?? 0) - moved;
        changed["dirty"] = (changed["dirty"] ?? 0) + moved;
        states[state] = (states[state] ?? 0) - moved;
        states["dirty"] = (states["dirty"] ?? 0) + moved;
      }
      return [start, stop, changed];
    });
    return { ...row, states, cells };
  }

  private redraw(): void {
    const rows = this.rows;
    const order = this.start.states.map((one) => one.state);
    const seen = new Set(rows.flatMap((row) => Object.keys(row.states)));
    this.keys.replaceChildren(legend(this.start.states.filter((one) => seen.has(one.state))));
    this.chart.hidden = this.view.table || !rows.length;
    if (!this.chart.hidden) this.map.show(rows, this.pipelines, this.shownSpan, order);
    const all = rows.reduce((sum, row) => sum + row.windows, 0);
    const count = rows.length ? `${plural(all, "window")} of ${plural(rows.length, "pipeline")}` : "No pipeline to show";
    const told = `${count}${follows(this.view) ? ", up to now" : ""}`;
    if (this.status.textContent !== told) this.status.textContent = told;
    // a table is not replaced while somebody is in it
    if (!this.tables.contains(document.activeElement)) {
      this.tables.replaceChildren(
        pipelineTable(rows, this.pipelines, order, (pipeline) => void this.showPlan(pipeline, this.gridSpan)),
        gapTable(rows, (pipeline, gap) => void this.showPlan(pipeline, gap)),
      );
    }
  }

  private get gridSpan(): Span {
    return this.grid?.interval ?? { start: iso(this.span[0]), stop: iso(this.span[1]) };
  }

  private get shownSpan(): [number, number] {
    return [Date.parse(this.gridSpan.start), Date.parse(this.gridSpan.stop)];
  }

  private open(row: Row, cell: Cell): void {
    const windows = Object.values(cell[2]).reduce((sum, count) => sum + count, 0);
    if (windows === 1) return void this.showWindow(row.pipeline, iso(cell[0]));
    const wide = (cell[1] - cell[0]) * 2;
    this.change({ from: iso(cell[0] - wide), to: iso(cell[1] + wide) });
  }

  private async showWindow(pipeline: string, start: string): Promise<void> {
    this.change({ pipeline, start });
    await this.showPanel(async (connection) => {
      const story = await connection.window(pipeline, start);
      const panel = windowPanel(story);
      panel.append(button("Cost and commands", () => void this.showPlan(pipeline, story.window)));
      return panel;
    });
  }

  private async showPlan(pipeline: string, span: Span): Promise<void> {
    await this.showPanel(async (connection) => {
      const found = (windows: Verified) => {
        this.dirty.set(pipeline, { span, windows });
        this.redraw();
      };
      const panel = await planPanel(connection, pipeline, span, this.start.can_backfill, found);
      panel.append(button("Lateness and silent series", () => void this.showPanel((one) => pointsPanel(one, pipeline, span))));
      return panel;
    });
  }

  private async showPanel(make: (connection: Connection) => Promise<HTMLElement>): Promise<void> {
    if (!this.connection) return;
    this.panel.replaceChildren(h("p", { role: "status" }, "Asking…"));
    const close = button("Close", () => {
      this.panel.replaceChildren();
      this.change({ pipeline: "", start: "" });
      this.chart.focus();
    });
    try {
      const inside = await make(this.connection);
      this.panel.replaceChildren(close, inside);
      const heading = inside.querySelector("h2");
      heading?.focus();
      heading?.scrollIntoView({ block: "nearest" });
    } catch (error) {
      this.panel.replaceChildren(close, h("p", { class: "error", role: "alert" }, error instanceof Error ? error.message : String(error)));
    }
  }
}

const root = document.getElementById("page");
if (root) {
  getStart().then(
    (start) => new Page(root, start),
    (error: Error) => root.replaceChildren(h("main", {}, h("h1", {}, "InfluxDB windows"), h("p", { role: "alert", class: "error" }, error.message))),
  );
}
