// How much script each page asks for first, gzipped: the entry and all that it and the page's own chunk import.
// Fails over the limit. Run it after `npm run build`.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const LIMIT = 300_000;
const ASSETS = new URL("../dist/assets/", import.meta.url);
const PAGES = readdirSync(new URL("../src/pages/", import.meta.url))
  .filter((name) => name.endsWith(".tsx") && !name.endsWith(".test.tsx"))
  .map((name) => name.slice(0, -".tsx".length));

const files = readdirSync(ASSETS).filter((name) => name.endsWith(".js"));
const text = Object.fromEntries(files.map((name) => [name, readFileSync(new URL(name, ASSETS), "utf8")]));
const gzipped = (name) => gzipSync(text[name]).length;

function closure(names, seen = new Set()) {
  for (const name of names) {
    if (seen.has(name) || !(name in text)) continue;
    seen.add(name);
    const imports = [...text[name].matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)].map((match) => match[1]);
    closure(imports, seen);
  }
  return seen;
}

const html = readFileSync(new URL("../dist/index.html", import.meta.url), "utf8");
const first = [...html.matchAll(/assets\/([^"]+\.js)"/g)].map((match) => match[1]);
let largest = 0;
for (const page of PAGES) {
  const own = files.filter((name) => name.startsWith(`${page}-`));
  // A page below a project comes with the project's frame.
  const frame = [
    "Runs",
    "Run",
    "Models",
    "Model",
    "Deployments",
    "Activity",
    "Connections",
    "NewConnection",
    "Connection",
    "ProjectMembers",
    "ProjectSettings",
  ].includes(page)
    ? files.filter((name) => name.startsWith("Project-"))
    : [];
  const bytes = [...closure([...first, ...own, ...frame])].reduce((sum, name) => sum + gzipped(name), 0);
  largest = Math.max(largest, bytes);
  console.log(`${page.padEnd(20)} ${(bytes / 1000).toFixed(1).padStart(7)} kB`);
}
if (largest > LIMIT) {
  console.error(`A page asks for more than ${LIMIT / 1000} kB.`);
  process.exit(1);
}
