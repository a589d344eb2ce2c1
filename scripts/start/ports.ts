import { createServer } from 'node:net'
import { StartError } from './start-error.ts'

export interface PortRequest {
  readonly host: string
  /** 0 asks for any free port. */
  readonly port: number
  /** The option that chooses this port, for the message. */
  readonly option: string
}

/**
 * A port that was free a moment ago, which is as much as can be known.
 *
 * @throws StartError if the one asked for is taken or cannot be had.
 */
export async function findPort({ host, port, option }: PortRequest): Promise<number> {
  const server = createServer()
  try {
    return await new Promise<number>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, exclusive: true }, () => {
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : port)
      })
    })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason = code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${code})`
    throw new StartError(`port ${port} on ${host} ${reason}; choose another with ${option}`)
  } finally {
    server.close()
  }
}
