import { Worker } from 'node:worker_threads'
import '../engine/no-telemetry.ts'
import type { EngineCommand, EngineMessage, EngineThreadOptions } from './protocol.ts'

export type Ready = Extract<EngineMessage, { type: 'ready' }>

/** Main-thread handle of one engine thread. */
export class EngineThread {
  /** What the thread said when its model was loaded. */
  readonly ready: Ready
  /** Settles when the thread has ended; rejects if it threw. */
  readonly ended: Promise<void>
  readonly #worker: Worker

  private constructor(worker: Worker, ready: Ready) {
    this.#worker = worker
    this.ready = ready
    this.ended = new Promise((resolve, reject) => {
      worker.once('error', reject)
      worker.once('exit', () => resolve())
    })
    this.ended.catch(() => undefined) // whoever cares awaits it
  }

  /** Resolves when the model is loaded. @throws Error with one clear line when it cannot be. */
  static async start(options: EngineThreadOptions): Promise<EngineThread> {
    const worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData: options })
    const ready = await new Promise<Ready>((resolve, reject) => {
      const exited = (): void => reject(new Error('the engine thread ended before it was ready'))
      worker.once('error', reject)
      worker.once('exit', exited)
      worker.once('message', (message: EngineMessage) => {
        worker.off('error', reject)
        worker.off('exit', exited)
        if (message.type === 'ready') resolve(message)
        else reject(new Error(message.type === 'failed' ? message.message : 'unexpected message'))
      })
    })
    return new EngineThread(worker, ready)
  }

  /** Every message from now on. */
  onMessage(receive: (message: EngineMessage) => void): void {
    this.#worker.on('message', receive)
  }

  send(command: EngineCommand): void {
    this.#worker.postMessage(command)
  }
}
