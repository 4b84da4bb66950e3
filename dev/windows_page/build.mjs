// Builds the page into the package; the same sources always give the same bytes.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = new URL("./", import.meta.url);
const target = new URL("../../airflow_provider_influx_rollup/page/static/", here);

await build({
  absWorkingDir: fileURLToPath(here),
  entryPoints: { windows: "src/main.ts", "windows-style": "src/windows.css" },
  outdir: fileURLToPath(target),
  entryNames: "[name]",
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  legalComments: "inline",
  define: { "process.env.NODE_ENV": '"production"' },
});

writeFileSync(new URL("windows.html", target), readFileSync(new URL("src/windows.html", here)));
// a test without Node.js compares the sources with these
const sources = ["package-lock.json", "build.mjs", ...readdirSync(new URL("src/", here)).map((name) => `src/${name}`)].sort();
const hashes = Object.fromEntries(sources.map((name) => [name, createHash("sha256").update(readFileSync(new URL(name, here))).digest("hex")]));
writeFileSync(new URL("built-from.json", target), `${JSON.stringify(hashes, null, 2)}\n`);
