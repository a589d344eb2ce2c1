import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'

/** What the way between two parties does to bytes. */
interface Way {
  /** Milliseconds that every chunk takes on top. */
  delayMs: number
  /** Bytes a second in each direction; unlimited where undefined. */
  bytesPerSecond: number | undefined
  /** Nothing passes, nothing is lost, nobody is told. */
  held: boolean
  /** New connections are refused. */
  refusing: boolean
}

const PERFECT: Way = { delayMs: 0, bytesPerSecond: undefined, held: false, refusing: false }
const CHUNK_BYTES = 512

/** A TCP way to a service that can be cut, reset, slowed, narrowed and stopped. */
export class FaultProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #way: Way = { ...PERFECT }
  readonly #healed = new Set<() => void>()
  /** Port of the service on this host; it may change while connections are open. 0: there is none yet. */
  targetPort = 0

  readonly #onRequestBytes: (chunk: Buffer) => void

  private constructor(onRequestBytes: (chunk: Buffer) => void) {
    this.#onRequestBytes = onRequestBytes
    this.#server = createServer((client) => this.#accept(client))
  }

  /** `onRequestBytes` sees what goes to the service. */
  static async start(
    onRequestBytes: (chunk: Buffer) => void = () => undefined,
  ): Promise<FaultProxy> {
    const proxy = new FaultProxy(onRequestBytes)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Ends every connection without a word of goodbye: both sides see a reset. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Ends every connection as if the other side had closed it, and takes no new one. */
  cut(): void {
    this.#way.refusing = true
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Keeps connections open and lets nothing through, in either direction. */
  hold(): void {
    this.#way.held = true
  }

  slow(delayMs: number): void {
    this.#way.delayMs = delayMs
  }

  narrow(bytesPerSecond: number): void {
    this.#way.bytesPerSecond = bytesPerSecond
  }

  /** What was held goes on its way. */
  heal(): void {
    Object.assign(this.#way, PERFECT)
    for (const wake of this.#healed) wake()
    this.#healed.clear()
  }

  async close(): Promise<void> {
    this.heal()
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(client: Socket): void {
    if (this.#way.refusing) return void client.resetAndDestroy()
    const service = connect(this.targetPort, '127.0.0.1')
    this.#track(client, service)
    this.#track(service, client)
    void this.#carry(client, service, this.#onRequestBytes)
    void this.#carry(service, client)
  }

  #track(socket: Socket, peer: Socket): void {
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    // Told by `close`, which always follows.
    socket.on('error', () => undefined)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      void this.#passable().then(() => peer.destroy())
    })
  }

  async #carry(from: Socket, to: Socket, see?: (chunk: Buffer) => void): Promise<void> {
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        see?.(chunk)
        for (let start = 0; start < chunk.length;) {
          const end = this.#way.bytesPerSecond === undefined ? chunk.length : start + CHUNK_BYTES
          const part = chunk.subarray(start, end)
          start += part.length
          await this.#travel(part.length)
          if (!to.write(part)) await new Promise((resolve) => to.once('drain', resolve))
        }
      }
      await this.#passable()
      to.end()
    } catch {
      // Broken off: `close` of the socket takes the other one down.
    }
  }

  async #travel(bytes: number): Promise<void> {
    await this.#passable()
    const { delayMs, bytesPerSecond } = this.#way
    const ms = delayMs + (bytesPerSecond === undefined ? 0 : (bytes / bytesPerSecond) * 1000)
    if (ms > 0) await this.#wait(ms)
  }

  async #passable(): Promise<void> {
    while (this.#way.held) await new Promise<void>((wake) => this.#healed.add(wake))
  }

  /** Ends early when the way is healed. */
  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#healed.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      this.#healed.add(wake)
    })
  }
}
