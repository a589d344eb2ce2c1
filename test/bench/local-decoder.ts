import type { Decoding, Job, JobEvent, Manifest } from '@setblock/shared'
import type { Engine } from '../../gpu-worker/src/engine/engine.ts'
import { measureRowCost } from '../../gpu-worker/src/scheduler/row-cost.ts'
import { Scheduler } from '../../gpu-worker/src/scheduler/scheduler.ts'
import type { Request } from './contender.ts'

export interface LocalAnswer {
  /** From the first token on. */
  readonly tokensPerSecond: number
  readonly tokensPerForward: number
}

/** The worker's scheduler over an engine of this thread, one job at a time. */
export class LocalDecoder {
  readonly #scheduler: Scheduler
  readonly #stopped: Promise<void>
  readonly #model: string
  #jobs = 0

  private constructor(scheduler: Scheduler, model: string) {
    this.#scheduler = scheduler
    this.#model = model
    this.#stopped = scheduler.run()
  }

  static async start(engine: Engine, { id, maskTokenId }: Manifest): Promise<LocalDecoder> {
    const now = (): number => performance.now()
    const cost = await measureRowCost(engine, now)
    const onFault = (error: unknown): never => {
      throw error
    }
    return new LocalDecoder(
      new Scheduler({ engine, maskTokenId, runningMax: 1, cost, now, onFault }),
      id,
    )
  }

  generate(request: Request, decoding: Decoding): Promise<LocalAnswer> {
    const job: Job = {
      id: `bench-${(this.#jobs += 1)}`,
      model: this.#model,
      tokenIds: [...request.tokenIds],
      decoding,
      sampling: { temperature: 0, topP: 1, topK: 0, seed: 0 },
      maxTokens: request.maxTokens,
      stopTokenIds: [...request.stopTokenIds],
    }
    return new Promise((resolve, reject) => {
      let first: { ms: number; tokens: number } | undefined
      this.#scheduler.submit(job, (event: JobEvent) => {
        if (event.type === 'error') reject(new Error(`${event.code}: ${event.message}`))
        if (event.type === 'reveal') {
          first ??= { ms: performance.now(), tokens: event.tokenIds.length }
        }
        if (event.type !== 'end') return
        const { completionTokens, forwardPasses } = event.usage
        const seconds = (performance.now() - (first?.ms ?? performance.now())) / 1000
        const behind = completionTokens - (first?.tokens ?? 0)
        resolve({
          tokensPerSecond: seconds > 0 ? behind / seconds : 0,
          tokensPerForward: completionTokens / Math.max(1, forwardPasses.decode),
        })
      })
    })
  }

  async stop(): Promise<void> {
    this.#scheduler.stop()
    await this.#stopped
  }
}
