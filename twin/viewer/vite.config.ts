// Two pages from one bundle: the console (index.html) and the viewer (viewer.html). twin/pages.py serves them.
/// <reference types="vitest/config" />
import { defineConfig, type Plugin } from "vite";

/** Of three's Draco decoders only the one for glTF is used; the others would be most of the bundle. */
const oneDraco: Plugin = {
  name: "one-draco",
  enforce: "pre",
  transform(code, id) {
    if (!id.includes("loaders/DRACOLoader")) return null;
    return code.replace(/new URL\( '\.\.\/libs\/draco\/draco_[^']+', import\.meta\.url \)\.toString\(\)/g, '""');
  },
};

export default defineConfig({
  base: "/ui/",
  plugins: [oneDraco],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // the pages' Content-Security-Policy allows no data: but pictures
    modulePreload: { polyfill: false },
    rollupOptions: { input: { console: "index.html", viewer: "viewer.html" } },
  },
  test: { css: true }, // the colours' contrast is a test
});
