import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

/** Leaves a fingerprint of the sources beside the page, so that a test sees when it was not built again. */
function fingerprint(): Plugin {
  return {
    name: "fingerprint",
    generateBundle() {
      const sources = readdirSync("src").map((name) => `src/${name}`);
      const hash = createHash("sha256");
      for (const path of ["index.html", "package-lock.json", ...sources.sort()])
        hash.update(readFileSync(path));
      this.emitFile({ type: "asset", fileName: "sources.sha256", source: `${hash.digest("hex")}\n` });
    },
  };
}

// The built page is part of the Python package; the service sends it with a policy that forbids inline code.
export default defineConfig({
  base: "./",
  plugins: [fingerprint()],
  build: {
    outDir: "../src/ddfa/serve/page",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    modulePreload: { polyfill: false },
    target: "es2022",
    cssTarget: "chrome123",
  },
  server: { proxy: { "/v1": { target: "http://127.0.0.1:8000", ws: true } } },
});
