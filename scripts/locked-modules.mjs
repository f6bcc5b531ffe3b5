// Usage: node scripts/locked-modules.mjs ui
// Fails if a package in ui/node_modules is not the one that ui/package-lock.json names.
import { readFileSync } from "node:fs";

const folder = process.argv[2];
const packages = (path) => JSON.parse(readFileSync(`${folder}/${path}`, "utf8")).packages;
const locked = packages("package-lock.json");

const strays = Object.entries(packages("node_modules/.package-lock.json")).filter(
  ([name, { version }]) => locked[name]?.version !== version,
);
for (const [name, { version }] of strays) {
  console.error(`${name}: ${version} is installed, package-lock.json says ${locked[name]?.version ?? "nothing"}`);
}
if (strays.length > 0) {
  console.error(`run 'npm install' in ${folder}/ and commit its package-lock.json`);
  process.exit(1);
}
