import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = "http://127.0.0.1:5000";

export default defineConfig({
  base: "/",
  plugins: [react()],
  build: {
    outDir: "dist",
    assetsDir: "assets",
    assetsInlineLimit: 0,
    sourcemap: false,
    rolldownOptions: { input: ["index.html", "api-docs.html"] },
  },
  server: { proxy: { "/api": server, "/serve": server, "/mlflow": server, "/health": server } },
  test: {
    environment: "jsdom",
    environmentOptions: { jsdom: { url: "http://localhost:3000/" } },
    globals: true,
    setupFiles: ["src/test/setup.ts"],
    css: false,
    testTimeout: 60_000,
    maxWorkers: 2,
  },
});
