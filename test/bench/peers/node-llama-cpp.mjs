/** node-llama-cpp's greedy next-token decoding: node node-llama-cpp.mjs <file.gguf> <threads> <context length> */
import { getLlama, LlamaLogLevel } from 'node-llama-cpp'
import { serveGenerations } from './serve-generations.mjs'

const [file, threads, contextSize] = process.argv.slice(2)
const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  progressLogs: false,
  maxThreads: Number(threads),
  logLevel: LlamaLogLevel.error,
  logger: (level, message) => process.stderr.write(`${level}: ${message}\n`),
})
const model = await llama.loadModel({ modelPath: file })
const context = await model.createContext({
  contextSize: Number(contextSize),
  sequences: 1,
  threads: Number(threads),
})
const sequence = context.getSequence()

await serveGenerations({
  facts: { threads: context.currentThreads, cpu: llama.systemInfo },
  async *generate({ tokenIds, maxTokens, stopTokenIds }) {
    await sequence.clearHistory()
    let count = 0
    const options = { temperature: 0, yieldEogToken: true }
    for await (const tokenId of sequence.evaluate(tokenIds, options)) {
      yield tokenId
      count += 1
      if (count === maxTokens || stopTokenIds.includes(tokenId)) return
    }
  },
})
