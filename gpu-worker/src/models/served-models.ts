import { ApiError } from '@setblock/shared'
import {
  EngineClient,
  type EngineClientOptions,
  type OnFault,
} from '../engine-thread/engine-client.ts'
import { toSessionModel, type SessionModel } from '../sessions/session-model.ts'
import type { ModelPlan } from './plan-models.ts'

/** A loaded model: its engine, and what sessions must know of it. */
export interface ServedModel {
  readonly engine: EngineClient
  readonly session: SessionModel
}

/** Everything an engine is started with that is not the model's own. */
export type SharedOptions = Omit<EngineClientOptions, keyof ModelPlan>

/** The models of a worker, each with an engine and a queue of its own. */
export class ServedModels {
  readonly all: readonly ServedModel[]
  readonly #byId: ReadonlyMap<string, ServedModel>

  constructor(engines: readonly EngineClient[]) {
    this.all = engines.map((engine) => ({
      engine,
      session: toSessionModel(engine.manifest, engine.form),
    }))
    this.#byId = new Map(this.all.map((model) => [model.engine.manifest.id, model]))
  }

  /**
   * Loads one model after the other: what rows cost is measured at start, and two at once would
   * disturb each other. Either all are loaded or none stays.
   *
   * @throws Error with one clear line when one cannot be.
   */
  static async start(
    plans: readonly ModelPlan[],
    options: SharedOptions,
    onFault: OnFault = () => undefined,
  ): Promise<ServedModels> {
    const engines: EngineClient[] = []
    try {
      for (const plan of plans) {
        engines.push(await EngineClient.start({ ...options, ...plan }, onFault))
      }
    } catch (error) {
      await Promise.all(engines.map((engine) => engine.drain(0)))
      throw error
    }
    return new ServedModels(engines)
  }

  /** @throws ApiError `model_not_found` */
  find(id: string): ServedModel {
    const model = this.#byId.get(id)
    if (model !== undefined) return model
    throw new ApiError('model_not_found', `model: ${id} is not loaded`, { param: 'model' })
  }

  /** Jobs waiting or running, of all models. */
  get activeJobs(): number {
    return this.all.reduce((sum, { engine }) => sum + engine.activeJobs, 0)
  }

  /** Ends a job, whichever model's it is. */
  cancel(jobId: string): void {
    for (const { engine } of this.all) engine.cancel(jobId)
  }

  /** Lets running jobs finish for at most `drainMs`, then stops every thread. */
  async drain(drainMs: number): Promise<void> {
    await Promise.all(this.all.map(({ engine }) => engine.drain(drainMs)))
  }

  /** Rejects when the first engine breaks. */
  async ended(): Promise<void> {
    await Promise.all(this.all.map(({ engine }) => engine.ended))
  }
}
