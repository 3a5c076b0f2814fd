import { defineConfig } from "vite";

// The built page is part of the Python package; the service sends it with a policy that forbids inline code.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/ddfa/serve/page",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  server: { proxy: { "/v1": { target: "http://127.0.0.1:8000", ws: true } } },
});
