/** transformers.js's greedy decoding: node transformers-js.mjs <model folder> <threads> <dtype> */
import path from 'node:path'
import { AutoModelForCausalLM, BaseStreamer, env, Tensor } from '@huggingface/transformers'
import { serveGenerations } from './serve-generations.mjs'

const [folder, threads, dtype] = process.argv.slice(2)
env.allowRemoteModels = false
env.localModelPath = path.dirname(folder)
const model = await AutoModelForCausalLM.from_pretrained(path.basename(folder), {
  dtype,
  device: 'cpu',
  session_options: { intraOpNumThreads: Number(threads), interOpNumThreads: 1 },
})

/** Hands every token on at the moment it is there. */
class TokenQueue extends BaseStreamer {
  #promptSeen = false
  #tokens = []
  #wake = () => {}
  #ended = false

  put([tokens]) {
    if (this.#promptSeen) this.#tokens.push(...tokens.map(Number))
    this.#promptSeen = true
    this.#wake()
  }

  end() {
    this.#ended = true
    this.#wake()
  }

  async *[Symbol.asyncIterator]() {
    while (true) {
      while (this.#tokens.length > 0) yield this.#tokens.shift()
      if (this.#ended) return
      await new Promise((resolve) => (this.#wake = resolve))
    }
  }
}

await serveGenerations({
  facts: { threads: Number(threads), dtype },
  async *generate({ tokenIds, maxTokens, stopTokenIds }) {
    const ids = BigInt64Array.from(tokenIds, BigInt)
    const shape = [1, ids.length]
    const streamer = new TokenQueue()
    const done = model.generate({
      inputs: new Tensor('int64', ids, shape),
      attention_mask: new Tensor('int64', new BigInt64Array(ids.length).fill(1n), shape),
      max_new_tokens: maxTokens,
      do_sample: false,
      eos_token_id: stopTokenIds,
      streamer,
    })
    yield* streamer
    await done
  },
})
