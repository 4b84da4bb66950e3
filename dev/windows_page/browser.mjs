// Looks at the page in a real browser: draws, is used by mouse and by keyboard, is checked by axe-core, is photographed.
//
// node browser.mjs URL OUT NAME {"late": {...}, ...}; prints what was found as one line of JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { launch, signIn } from "./session.mjs";

const [site, out, name, told] = process.argv.slice(2);
const scene = JSON.parse(told);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const found = { errors: [], foreign: [], serious: {}, drawn_ms: {}, facts: {} };

const context = await launch();
try {
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => found.errors.push(String(error)));
  page.on("console", (said) => said.type() === "error" && found.errors.push(`${said.text()} ${said.location().url}`));
  page.on("request", (asked) => new URL(asked.url()).origin !== new URL(site).origin && !asked.url().startsWith("data:") && found.foreign.push(asked.url()));
  await signIn(page, site, scene);
  // what Airflow's own page says is not ours
  await page.goto("about:blank");
  found.errors.length = found.foreign.length = 0;

  await page.goto(`${site}/influx-rollup/?${new URLSearchParams({ ledger: scene.ledger })}`);
  await drawn(page);
  found.facts.status = await page.locator(".status").textContent();
  found.facts.legend = await page.locator(".legend li").allTextContents();
  found.facts.rows = await page.locator("main table").first().innerText();
  await check(page, "overview");
  await photo(page, "overview");

  // by keyboard: to the chart, to a cell, into it
  await page.locator(".chart").focus();
  for (const key of ["End", "ArrowDown", "ArrowUp", "ArrowLeft"]) await page.keyboard.press(key);
  found.facts.spoken = await page.locator(".hidden-text").textContent();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => new URLSearchParams(location.search).get("from") || new URLSearchParams(location.search).get("start"));
  found.facts.zoomed = page.url();

  // a window by its URL, as a link has it
  const at = new URLSearchParams({ ledger: scene.ledger, pipeline: scene.pipeline, start: scene.late.start, from: scene.around.start, to: scene.around.stop });
  await page.goto(`${site}/influx-rollup/?${at}`);
  await page.locator(".panel dl").waitFor();
  found.facts.window = await page.locator(".panel h2").textContent();
  await page.locator(".panel details summary").click();
  found.facts.flux = await page.locator(".panel pre").first().textContent();
  await check(page, "window");
  await photo(page, "window");

  // what a backfill costs, and what differs from the source
  await page.getByRole("button", { name: "Cost and commands", exact: true }).first().click();
  await page.getByRole("button", { name: "Compare with the source" }).click();
  await page.locator(".panel [role=status]", { hasText: "window" }).waitFor();
  found.facts.verified = await page.locator(".panel [role=status]").first().textContent();
  found.facts.commands = await page.locator(".panel pre").allTextContents();
  await page.locator(".legend li", { hasText: "dirty" }).waitFor();
  found.facts.backfill = await page.getByRole("button", { name: /^Backfill/ }).count();
  await check(page, "plan");
  await photo(page, "plan");
  await page.getByRole("button", { name: "Lateness and silent series" }).click();
  await page.locator(".panel h3", { hasText: "Silent series" }).waitFor();
  found.facts.points = await page.locator(".panel").textContent();
  await check(page, "points");

  // filters are in the URL, and a table says the same
  await page.goto(`${site}/influx-rollup/?${new URLSearchParams({ ledger: scene.ledger })}`);
  await drawn(page);
  await page.locator("#q").pressSequentially("mem");
  await page.locator("#table").check();
  await page.waitForFunction(() => location.search.includes("q=mem") && location.search.includes("table=1"));
  found.facts.table = await page.locator("main table").first().innerText();

  await page.emulateMedia({ colorScheme: "dark" });
  await page.goto(`${site}/influx-rollup/?${new URLSearchParams({ ledger: scene.ledger })}`);
  await drawn(page);
  found.facts.theme = await page.evaluate(() => document.documentElement.dataset.theme);
  await check(page, "dark");
  await photo(page, "dark");

  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 375, height: 800 });
  await page.goto(`${site}/influx-rollup/?${new URLSearchParams({ ledger: scene.ledger })}`);
  await drawn(page);
  found.facts.overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  await check(page, "phone");
  await photo(page, "phone");

  // inside of Airflow 3's own page, whose URL has the path of the frame, and the filters too
  if (scene.framed) {
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.goto(`${site}/plugin/influx-rollup-windows/influx-rollup/?${new URLSearchParams({ ledger: scene.ledger, q: "mem" })}`);
    const frame = page.frameLocator("iframe");
    await frame.locator(".chart canvas").waitFor();
    found.facts.framed = await frame.locator(".status").textContent();
    await frame.locator("#wrong").check();
    await page.waitForFunction(() => location.search.includes("wrong=1"));
    found.facts.outer = page.url();
    await photo(page, "framed");
  }

  if (scene.many) {
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.goto(`${site}/influx-rollup/?${new URLSearchParams({ ledger: scene.many, last: "1y" })}`);
    await drawn(page);
    found.facts.many = await page.locator(".status").textContent();
    found.drawn_ms = await page.evaluate(async () => {
      const named = (name) => performance.getEntriesByName(name)[0]?.duration;
      while (named("influx-rollup-drawn") === undefined) await new Promise(requestAnimationFrame);
      const grids = performance.getEntriesByType("resource").filter((one) => one.name.includes("/grid?"));
      return { draw: named("influx-rollup-drawn"), server: grids[0].duration };
    });
  }
} finally {
  await context.close();
}
process.stdout.write(`${JSON.stringify(found)}\n`);

async function drawn(page) {
  await page.waitForFunction(() => /window/.test(document.querySelector(".status")?.textContent ?? ""));
  await page.locator(".chart canvas").waitFor();
}

async function check(page, at) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
  const bad = result.violations.filter((one) => ["serious", "critical"].includes(one.impact));
  found.serious[at] = bad.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
}

async function photo(page, at) {
  await page.mouse.move(0, 0);
  await page.screenshot({ path: `${out}/windows-page-${name}-${at}.png`, fullPage: at === "phone" });
}
