// Two pages from one bundle: the console (index.html) and the viewer (viewer.html). twin/pages.py serves them.
import { defineConfig } from "vite";

export default defineConfig({
  base: "/ui/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // the pages' Content-Security-Policy allows no data: but pictures
    modulePreload: { polyfill: false },
    rollupOptions: { input: { console: "index.html", viewer: "viewer.html" } },
  },
});
