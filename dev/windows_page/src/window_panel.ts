// One window: its receipt, history, Flux, runs, archives and certificates.

import type { Receipt, Story } from "./api";
import { codeBlock, h, plural, table } from "./dom";
import { words } from "./theme";
import { duration, shortTime, spanText } from "./time";

export function windowPanel(story: Story): HTMLElement {
  const receipt = story.receipt;
  const heading = h("h2", { tabindex: -1 }, `${story.pipeline}: ${spanText(story.window)} UTC`);
  return h(
    "div",
    {},
    heading,
    receipt ? facts(receipt) : h("p", {}, "No receipt: no run has wanted this window yet."),
    ...story.purges.map((one) => h("p", { class: "note" }, `${one.what}.`)),
    history(story),
    archives(story),
    certificates(story),
    flux(story),
  );
}

function facts(receipt: Receipt): HTMLElement {
  const pairs: [string, Node | string][] = [
    ["State", receipt.state],
    ["Committed", plural(receipt.generation, "time")],
    ["Points read", receipt.rows_in.toLocaleString("en")],
    ["Values written", receipt.rows_out.toLocaleString("en")],
    ["Series", receipt.series.toLocaleString("en")],
    ["Took", duration(receipt.seconds)],
    ["Written", `${shortTime(receipt.written_at)} UTC`],
    ["Checksum", receipt.checksum || "none"],
    ["Run", run(receipt)],
  ];
  if (receipt.reason) pairs.push(["Reason", receipt.reason]);
  if (receipt.incomplete) pairs.push(["Source lacked", receipt.incomplete]);
  return h("dl", {}, ...pairs.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function run(receipt: Receipt): Node | string {
  const name = [receipt.dag_id, receipt.task_id, receipt.run_id].filter(Boolean).join(" / ") || "not known";
  // the page may be inside of Airflow's own, which is the one to leave
  return receipt.run_url ? h("a", { href: receipt.run_url, target: "_top" }, name) : name;
}

function history(story: Story): HTMLElement {
  const rows = [...story.history].reverse().map((one) => [
    `${shortTime(one.written_at)}`, words(one.state.toLowerCase()), String(one.generation), one.rows_in.toLocaleString("en"),
    one.rows_out.toLocaleString("en"), duration(one.seconds), one.reason, run(one),
  ]);
  const left = story.history_total - story.history.length;
  const caption = `History${left > 0 ? `, without the ${plural(left, "oldest change")}` : ""}`;
  return table(caption, ["Written (UTC)", "State", "Generation", "Points", "Values", "Took", "Why", "Run"], rows);
}

function archives(story: Story): HTMLElement {
  if (!story.archives.length) return h("p", {}, "The ledger knows no archive of its points under the default name.");
  const rows = story.archives.map((one) => [
    spanText(one.window), words(one.state.toLowerCase()), String(one.generation), one.rows_out.toLocaleString("en"), one.checksum, run(one),
  ]);
  return table(`Archives: ${story.archives[0]?.pipeline ?? ""}`, ["Window (UTC)", "State", "Generation", "Points", "Checksum", "Run"], rows);
}

function certificates(story: Story): HTMLElement | null {
  if (!story.certificates.length) return null;
  const rows = story.certificates.map((one) => [
    one.kind, String(one.number), spanText(one.window), one.rows.toLocaleString("en"), one.path, one.sha256.slice(0, 16),
  ]);
  return table("Certificates", ["Kind", "Number", "Window (UTC)", "Rows deleted", "File", "SHA-256 begins"], rows);
}

function flux(story: Story): HTMLElement {
  const told = story.explained;
  if (!told) return h("p", {}, `Its Flux cannot be told: ${story.not_explained}.`);
  const worker = told.in_worker.length ? h("p", {}, `Read into the worker and computed there: ${told.in_worker.join(", ")}.`) : null;
  return h(
    "details",
    {},
    h("summary", {}, `Flux of the window (${plural(told.flux.length, "script")})`),
    worker,
    ...told.flux.map((text, number) => codeBlock(`script ${number + 1}`, text)),
  );
}
