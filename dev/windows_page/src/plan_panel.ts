// Chosen windows: what a backfill would cost, the commands for it, and on Airflow 3 the backfill itself.

import { type Connection, type Plan, type Span, type Verified, createBackfill, dryRunBackfill } from "./api";
import { button, codeBlock, h, plural, table } from "./dom";
import { duration, spanText } from "./time";

export async function planPanel(
  connection: Connection,
  pipeline: string,
  span: Span,
  canBackfill: boolean,
  found: (verified: Verified) => void,
): Promise<HTMLElement> {
  const plan = await connection.plan(pipeline, span);
  const heading = h("h2", { tabindex: -1 }, `${pipeline}: ${spanText(plan.plan.interval)} UTC`);
  return h(
    "div",
    {},
    heading,
    cost(plan),
    verify(connection, pipeline, plan.plan.interval, found),
    canBackfill ? backfill(plan) : null,
    h("h3", {}, "Commands"),
    ...plan.commands.map((one) => codeBlock(one.name, one.text)),
  );
}

function cost({ plan }: Plan): HTMLElement {
  const seconds = (value: number | null) => (value === null ? "no history to tell from" : duration(value));
  const row = (name: string, one: Plan["plan"]["needed"]) => [
    name, one.windows.toLocaleString("en"), one.points.toLocaleString("en"), one.values.toLocaleString("en"), seconds(one.seconds),
  ];
  const notes = plan.frozen.map((one) => h("p", { class: "note" }, `${plural(one.windows, "window")} cannot be run: ${one.why}.`));
  const waiting = plan.waiting ? h("p", { class: "note" }, `${plural(plan.waiting, "window")} wait for the tier below.`) : null;
  return h(
    "div",
    {},
    table("Cost", ["What", "Windows", "Points to read", "Values to write", "Time"], [
      row("What is missing, torn or stale", plan.needed), row("Everything again", plan.everything),
    ]),
    ...notes,
    waiting,
  );
}

function verify(connection: Connection, pipeline: string, span: Span, found: (verified: Verified) => void): HTMLElement {
  const told = h("p", { role: "status" });
  const act = button("Compare with the source", () => {
    act.disabled = true;
    told.textContent = "Comparing…";
    connection.verify(pipeline, span).then(
      (verified) => {
        told.textContent = verified.dirty.length
          ? `${plural(verified.dirty.length, "window")} of ${verified.compared} differ from the source: ${verified.dirty
              .slice(0, 5).map((one) => `${spanText(one.window)} (${one.reasons.join(", ")})`).join("; ")}`
          : `${plural(verified.compared, "window")} compared, all right.`;
        found(verified);
        act.disabled = false;
      },
      (error: Error) => {
        told.textContent = error.message;
        act.disabled = false;
      },
    );
  });
  return h("div", {}, act, told);
}

function backfill({ dag_id, backfill: dates }: Plan): HTMLElement {
  if (!dag_id || !dates) return h("p", {}, "No receipt names a DAG, so that no backfill can be begun from here.");
  const range = { dag_id, from_date: dates.start, to_date: dates.stop };
  const told = h("p", { role: "status" });
  const failed = (error: Error) => {
    told.textContent = `Airflow answers: ${error.message}`;
    // what was refused once may be asked for again
    confirm.disabled = false;
  };
  const confirm = button("Begin the backfill", () => {
    confirm.disabled = true;
    told.textContent = "Asking Airflow…";
    createBackfill(range).then((made) => {
      told.textContent = `Backfill ${made.id} of ${dag_id} has begun.`;
      confirm.hidden = true;
    }, failed);
  });
  confirm.hidden = true;
  const ask = button(`Backfill ${dag_id}…`, () => {
    told.textContent = "Asking Airflow…";
    dryRunBackfill(range).then((runs) => {
      told.textContent = `${plural(runs.total_entries, "run")} of ${dag_id} would run, those that have completed again.`;
      confirm.hidden = !runs.total_entries;
      confirm.disabled = false;
    }, failed);
  });
  return h("div", {}, ask, " ", confirm, told);
}
