// Watches a pipeline on the page while a backfill runs, which it may begin by the button; prints what was shown, and when.
//
// node follow.mjs URL {"user", "password", "ledger", "q", "missing", "press"}
import { launch, signIn } from "./session.mjs";

const [site, told] = process.argv.slice(2);
const scene = JSON.parse(told);
const shown = [];
const context = await launch();

/** Press a button until Airflow has answered: it refuses while others write to SQLite, which only tests use. */
async function pressed(button, answer) {
  for (let tries = 0; tries < 60; tries += 1) {
    await button.click();
    await answer.waitFor();
    const text = await answer.textContent();
    if (!text.startsWith("Airflow answers")) return;
    if (!/database is locked/i.test(text)) throw new Error(text);
  }
}

try {
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(120_000);
  await signIn(page, site, scene);
  await page.goto(`${site}/influx-rollup/?${new URLSearchParams({ ledger: scene.ledger, q: scene.q, table: "1" })}`);
  await page.locator(".tables table tbody tr").first().waitFor();
  if (scene.press) {
    await page.getByRole("button", { name: new RegExp(`^Choose .*${scene.q}`) }).first().click();
    const ask = page.getByRole("button", { name: /^Backfill/ });
    const begin = page.getByRole("button", { name: "Begin the backfill" });
    const asked = page.locator(".panel [role=status]", { hasText: /would run|Airflow answers/ });
    const said = page.locator(".panel [role=status]", { hasText: /has begun|Airflow answers/ });
    await pressed(ask, asked);
    if (await begin.isHidden()) throw new Error(await asked.textContent());
    await pressed(begin, said);
    process.stdout.write(`${JSON.stringify({ said: await said.textContent() })}\n`);
    // a table is not replaced while the focus is in it
    await page.locator("h1").click();
  } else process.stdout.write(`${JSON.stringify({ said: "" })}\n`);
  const until = Date.now() + 240_000;
  while (Date.now() < until) {
    const counts = await page.evaluate(() => {
      const rows = document.querySelector(".tables table");
      const names = [...rows.querySelectorAll("th")].map((one) => one.textContent);
      const cells = [...rows.querySelectorAll("tbody tr:first-child td")].map((one) => one.textContent);
      return Object.fromEntries(names.map((name, place) => [name, cells[place]]));
    });
    const committed = Number(counts.committed) + Number(counts.archived ?? 0) + Number(counts.purged ?? 0);
    if (shown.at(-1)?.committed !== committed) shown.push({ at: Date.now() / 1000, committed });
    if (Number(counts.missing ?? 0) <= scene.missing) break;
    await page.waitForTimeout(100);
  }
} finally {
  await context.close();
}
process.stdout.write(`${JSON.stringify(shown)}\n`);
