import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import {
  createServer,
  type AddressInfo,
  type ListenOptions,
  type Server,
  type Socket,
} from 'node:net'

/**
 * Sockets that listen at one address. libuv takes one connection from each in a turn of the event loop; a busy loop
 * turns slowly, and with a single socket a crowd of new clients would wait in the kernel, where nobody can refuse them.
 */
const DOORS = 8

export interface Place {
  readonly host: string
  /** 0: any. */
  readonly port: number
}

export interface Listening {
  readonly url: string
  /** Takes no more connections; resolves when all there are have ended. */
  close(): Promise<void>
}

/** Where clients come in, and where Prometheus does: both open or neither. */
export async function openDoors(
  server: HttpServer,
  scraped: HttpServer | undefined,
  config: Place & { readonly metrics: Place | undefined },
): Promise<{ listening: Listening; scraping: Listening | undefined }> {
  const listening = await listenWide(server, config).catch(refuseTo('EDGE', config))
  if (scraped === undefined) return { listening, scraping: undefined }
  const place = config.metrics!
  try {
    const scraping = await listen(scraped, place).catch(refuseTo('METRICS', place))
    return { listening, scraping }
  } catch (error) {
    server.closeAllConnections()
    await listening.close()
    throw error
  }
}

/** Says which variables chose a place that cannot be listened at. */
function refuseTo(door: 'EDGE' | 'METRICS', { host, port }: Place) {
  return (cause: NodeJS.ErrnoException): never => {
    const why = cause.code === 'EADDRINUSE' ? 'the port is in use' : cause.message
    const variables = `SETBLOCK_${door}_HOST, SETBLOCK_${door}_PORT`
    throw new Error(`${variables}: cannot listen on port ${port} of ${host}: ${why}`, { cause })
  }
}

/** A server at one socket. @throws Error of the system, such as `EADDRINUSE` */
export async function listen(server: Server, place: ListenOptions & Place): Promise<Listening> {
  server.listen(place)
  await once(server, 'listening')
  return { url: urlOf(server), close: () => close([server]) }
}

/** A server at several sockets of one address, where the system has such a thing. @throws Error like `listen` */
export async function listenWide(server: HttpServer, place: Place): Promise<Listening> {
  if (process.platform !== 'linux') return listen(server, place)
  await assertFree(place)
  await listen(server, { ...place, reusePort: true })
  const { port } = server.address() as AddressInfo
  const doors = Array.from({ length: DOORS - 1 }, () =>
    createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      server.emit('connection', socket)
    }),
  )
  await Promise.all(doors.map((door) => listen(door, { ...place, port, reusePort: true })))
  return { url: urlOf(server), close: () => close([server, ...doors]) }
}

/** Whoever shares a port gets a part of its clients, so another program's must not be shared by mistake. */
async function assertFree(place: Place): Promise<void> {
  const alone = await listen(createServer(), place)
  await alone.close()
}

async function close(servers: readonly Server[]): Promise<void> {
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
  )
}

function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

/** Knows which connections wait for an answer. Node itself counts one that never asked as busy. */
export class IdleConnections {
  readonly #answers = new Map<Socket, number>()
  #closing = false

  constructor(server: HttpServer) {
    server.on('connection', (socket) => {
      this.#answers.set(socket, 0)
      socket.once('close', () => this.#answers.delete(socket))
    })
    server.on('request', ({ socket }, response) => {
      this.#count(socket, 1)
      response.once('close', () => this.#count(socket, -1))
    })
  }

  /** Ends those that wait for nothing, and from now on every other one behind its answer. */
  close(): void {
    this.#closing = true
    for (const [socket, answers] of this.#answers) if (answers === 0) socket.end()
  }

  #count(socket: Socket, by: 1 | -1): void {
    const answers = (this.#answers.get(socket) ?? 0) + by
    if (this.#answers.has(socket)) this.#answers.set(socket, answers)
    if (this.#closing && answers === 0) socket.end()
  }
}

export async function closeServer(
  server: HttpServer,
  listening: Listening,
  { idle, drainMs }: { idle: IdleConnections; drainMs: number },
): Promise<void> {
  const closed = listening.close()
  idle.close()
  const timer = setTimeout(() => server.closeAllConnections(), drainMs)
  await closed
  clearTimeout(timer)
}
