import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [svelte()],
  // The folder is there before anything is built, so that the collector's build can watch it: make empties it.
  build: {
    emptyOutDir: false,
    // Nothing is loaded that the page does not name, and nothing stands in the page that its policy forbids.
    modulePreload: false,
    assetsInlineLimit: 0,
    target: "es2022",
    rolldownOptions: { checks: { pluginTimings: false } },
  },
});
