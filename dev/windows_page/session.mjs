// A browser of its own, and a user who has signed in.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync",
];

export function launch() {
  return chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), "windows-page-")), {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
    viewport: { width: 1280, height: 900 },
    colorScheme: "light",
  });
}

export async function signIn(page, site, user) {
  await page.goto(site);
  const name = page.locator('input[name="username"]');
  await name.waitFor();
  await name.fill(user.user);
  await page.locator('input[name="password"]').fill(user.password);
  await page.locator('input[name="password"]').press("Enter");
  await page.waitForURL((url) => !url.pathname.includes("login"));
  await page.waitForLoadState("networkidle");
}
