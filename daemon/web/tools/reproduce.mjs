// Builds the page with the locked packages into a scratch folder, and compares it with what is kept in
// `dist`: byte for byte. The compressed forms depend on the compressor's version, so of those it is
// compared what they hold.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { build } from "vite";

const here = new URL("..", import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), "callreel-page-"));
const unpack = { br: brotliDecompressSync, gz: gunzipSync };

function files(root) {
  const found = new Map();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const bytes = readFileSync(path);
    const open = unpack[entry.name.split(".").at(-1)];
    found.set(path.slice(root.length), open ? open(bytes) : bytes);
  }
  return found;
}

try {
  await build({
    root: here,
    logLevel: "warn",
    build: { outDir: scratch, emptyOutDir: true },
  });
  const [kept, made] = [files(join(here, "dist")), files(scratch)];
  const names = new Set([...kept.keys(), ...made.keys()]);
  const differing = [...names].filter((name) => {
    const [one, other] = [kept.get(name), made.get(name)];
    return !one || !other || !one.equals(other);
  });
  for (const name of differing) console.log(`dist${name} is not what the sources make`);
  console.log(
    differing.length
      ? "Run 'npm ci && npm run build' in daemon/web and commit dist."
      : `dist is what the sources make: ${names.size} files`,
  );
  process.exitCode = differing.length ? 1 : 0;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
