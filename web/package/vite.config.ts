import { defineConfig } from "vite";

// The demo page: static files for any file server, with the models of models/.
export default defineConfig({
  root: "demo",
  base: "./",
  publicDir: "../models",
  build: {
    outDir: "../demo-dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
});
