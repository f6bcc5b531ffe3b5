import { svelte } from "@sveltejs/vite-plugin-svelte";
import tailwindcss from "@tailwindcss/vite";
import { svelteTesting } from "@testing-library/svelte/vite";
import { defineConfig } from "vitest/config";

// The same policy as the shell's window, so that the fake preview breaks where the window would.
const contentSecurityPolicy =
  "default-src 'self'; style-src 'self'; script-src 'self'; font-src 'self'; img-src 'self'; object-src 'none'; base-uri 'none'";

export default defineConfig(({ mode }) => {
  const fake = mode === "fake";
  return {
    plugins: [tailwindcss(), svelte(), svelteTesting()],
    clearScreen: false,
    server: { port: 5173, strictPort: true },
    preview: { port: 4173, headers: { "Content-Security-Policy": contentSecurityPolicy } },
    build: {
      // The web views of Tauri's platforms; nothing older has to be served.
      target: ["es2023", "safari18", "chrome123"],
      outDir: fake ? "dist-fake" : "dist",
      // A data: URI would need a wider policy.
      assetsInlineLimit: 0,
      // Vite's polyfill is an inline script in some set-ups, and every web view here preloads by itself.
      modulePreload: { polyfill: false },
      rolldownOptions: { input: fake ? "fake.html" : "index.html" },
    },
    test: {
      environment: "jsdom",
      setupFiles: ["src/test/setup.ts"],
      include: ["src/**/*.test.ts"],
      css: false,
      // Typing letter by letter into the whole window takes seconds where the machine is busy.
      testTimeout: 20_000,
      restoreMocks: true,
    },
  };
});
