import { GAMMA_PRESETS, limits, ruleSchema } from '@setblock/shared'
import { defineConfig } from 'vite'

/** Facts of the contract as constants: its module would bring the schema library along. */
const CONTRACT = {
  gammaPresets: GAMMA_PRESETS,
  rules: ruleSchema.options,
  blockLengthMin: limits.blockLengthMin,
  seedMax: limits.seedMax,
}

/** An edge to try changes against, such as `npm start` runs: `npx vite edge/playground`. */
const EDGE_URL = process.env.SETBLOCK_EDGE_URL ?? 'http://127.0.0.1:8787'

export default defineConfig({
  root: import.meta.dirname,
  define: { SETBLOCK_CONTRACT: JSON.stringify(CONTRACT) },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2023',
    // A file put into the page as a data: URL would need a laxer security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '/v1': EDGE_URL, '/docs': EDGE_URL, '/openapi.json': EDGE_URL } },
})
