// The JSON API of the page, which is the same on Airflow 2.11 and 3.x.

export type Counts = Record<string, number>;
export type Cell = [start: number, stop: number, counts: Counts];
export interface Span { start: string; stop: string }
export interface Gap extends Span { windows: number; state: string }
export interface Row { pipeline: string; windows: number; states: Counts; cells: Cell[]; gaps: Gap[]; gaps_total: number }
export interface Grid { interval: Span; now: string; rows: Row[] }
export interface StateInfo { state: string; is_wrong: boolean; words: string }
export interface Start { connections: string[]; states: StateInfo[]; version: string; can_backfill: boolean }
export interface Pipeline {
  pipeline: string; tier: number; measurement: string; source: string; target: string; every: string; lateness: string; reads: string[];
}
export interface Receipt {
  window: Span; state: string; generation: number; rows_in: number; rows_out: number; series: number; checksum: string; seconds: number;
  written_at: string; reason: string; incomplete: string; dag_id: string; task_id: string; run_id: string; try_number: number;
  run_url: string | null; pipeline: string;
}
export interface Certificate { kind: string; number: number; window: Span; rows: number; sha256: string; path: string; ended_at: string }
export interface Story {
  pipeline: string; window: Span; receipt: Receipt | null; history: Receipt[]; history_total: number; archives: Receipt[];
  certificates: Certificate[]; purges: { window: Span; what: string }[];
  explained: { flux: string[]; in_worker: string[]; columns: string[]; windows_below: number } | null; not_explained: string;
}
export interface Amount { windows: number; points: number; values: number; bytes: number; seconds: number | null }
export interface Plan {
  plan: { needed: Amount; everything: Amount; waiting: number; frozen: { windows: number; why: string }[]; interval: Span };
  // logical dates of the runs that are about the interval, both included
  dag_id: string | null; backfill: Span | null; commands: { name: string; text: string }[];
}
export interface Verified { compared: number; dirty: { window: Span; reasons: string[]; series: number }[] }
export interface Lateness {
  rows: {
    pipeline: string; points: number; late_points: number; late_share: number; lateness: string; windows: number;
    caught: { lateness: string; surely: number; perhaps: number }[];
  }[];
  notes: string[];
}
export interface Silent { series: { tags: Record<string, string>; last_seen: string }[]; silent_total: number; series_total: number; since: string }

export class ApiError extends Error {
  constructor(readonly status: number, text: string) {
    super(text);
  }
}

async function read<T>(url: string, init: RequestInit = {}): Promise<T> {
  const answered = await fetch(url, { credentials: "same-origin", headers: { Accept: "application/json" }, ...init });
  const text = await answered.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new ApiError(answered.status, `The answer has the status ${answered.status} and is no JSON.`);
  }
  if (answered.ok) return body as T;
  const told = body as { error?: string; detail?: unknown };
  const detail = typeof told.detail === "string" ? told.detail : told.detail === undefined ? "" : JSON.stringify(told.detail);
  throw new ApiError(answered.status, told.error ?? (detail || `status ${answered.status}`));
}

export const getStart = (): Promise<Start> => read("api/connections");

export class Connection {
  constructor(readonly id: string, readonly ledger: string) {}

  private ask<T>(name: string, values: Record<string, string | string[] | undefined>, signal?: AbortSignal): Promise<T> {
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries({ ledger: this.ledger || undefined, ...values })) {
      for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) query.append(key, one);
    }
    return read(`api/connections/${encodeURIComponent(this.id)}/${name}?${query}`, signal ? { signal } : {});
  }

  pipelines = () => this.ask<{ ledger: string; pipelines: Pipeline[] }>("pipelines", {});
  grid = (span: Span, cells: number, pipelines: string[] | undefined, signal: AbortSignal) =>
    this.ask<Grid>("grid", { from: span.start, to: span.stop, cells: String(cells), pipeline: pipelines }, signal);
  window = (pipeline: string, start: string) => this.ask<Story>("window", { pipeline, start });
  plan = (pipeline: string, span: Span) => this.ask<Plan>("plan", { pipeline, from: span.start, to: span.stop });
  verify = (pipeline: string, span: Span) => this.ask<Verified>("verify", { pipeline, from: span.start, to: span.stop });
  lateness = (pipeline: string, span: Span) => this.ask<Lateness>("lateness", { pipeline, from: span.start, to: span.stop });
  silent = (pipeline: string) => this.ask<Silent>("silent", { pipeline });
}

// Airflow's own API, in the session of the user: its permissions and its checks of the origin hold.
export interface BackfillRange { dag_id: string; from_date: string; to_date: string }

function postBackfill<T>(path: string, range: BackfillRange): Promise<T> {
  return read(`../api/v2/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ ...range, reprocess_behavior: "completed", max_active_runs: 3 }),
  });
}

export const dryRunBackfill = (range: BackfillRange) => postBackfill<{ total_entries: number }>("backfills/dry_run", range);
export const createBackfill = (range: BackfillRange) => postBackfill<{ id: number }>("backfills", range);
