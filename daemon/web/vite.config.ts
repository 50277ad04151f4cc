import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Text files end in a newline, and lie beside their compressed forms. */
function finish(): Plugin {
  return {
    name: "callreel-finish",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        for (const [name, file] of Object.entries(bundle)) {
          const source = file.type === "chunk" ? file.code : file.source.toString();
          const text = source.replace(/\n*$/, "\n");
          if (file.type === "chunk") file.code = text;
          else file.source = text;
          const bytes = Buffer.from(text);
          const params = {
            [constants.BROTLI_PARAM_QUALITY]: 11,
            [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
          };
          const emit = (ending: string, source: Buffer): void => {
            this.emitFile({ type: "asset", fileName: `${name}.${ending}`, source });
          };
          emit("br", brotliCompressSync(bytes, { params }));
          emit("gz", gzipSync(bytes, { level: 9 }));
        }
      },
    },
  };
}

export default defineConfig({
  plugins: [finish()],
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: {
    target: ["chrome109", "firefox115", "safari16"],
    outDir: "dist",
    assetsDir: "page",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    cssCodeSplit: false,
  },
  worker: { format: "es" },
  server: {
    port: 5173,
    proxy: { "/api": { target: "http://127.0.0.1:8099", ws: true } },
  },
});
