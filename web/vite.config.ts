import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// npm run dev serves the sources beside a daemon whose API is reached at this address.
const daemon = process.env["LXDFLEET_API"] ?? "https://127.0.0.1:8446";

export default defineConfig({
  base: "/ui/",
  plugins: [react()],
  resolve: {
    // The package's main file is CommonJS, of which nothing unused can be left out.
    alias: [{ find: /^@canonical\/react-components$/, replacement: "@canonical/react-components/dist/esm/index.js" }],
  },
  css: { preprocessorOptions: { scss: { quietDeps: true, silenceDeprecations: ["import", "global-builtin"] } } },
  build: { target: "es2023", assetsInlineLimit: 0, chunkSizeWarningLimit: 400, modulePreload: { polyfill: false } },
  server: { proxy: { "/v1": { target: daemon, secure: false, ws: true } } },
});
