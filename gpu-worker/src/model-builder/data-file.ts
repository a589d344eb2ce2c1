import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { appendFile, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

import * as z from 'zod'

import type { PlacedSource, PlacedTensor } from './data-layout.ts'
import { inOrder } from './in-order.ts'
import { BLOCK_BYTES } from './limits.ts'
import type { MadeWeights, WeightMaker } from './weight-maker.ts'

/** Bytes of one write call; the system takes less than 2 GiB at a time. */
const WRITE_BYTES_MAX = 64 * 1024 * 1024

export interface DataFileOptions {
  readonly folder: string
  /** Its final name. */
  readonly file: string
  /** Digest of everything that the bytes depend on. What was begun for another is thrown away. */
  readonly identity: string
  readonly maker: WeightMaker
  readonly onSource?: (progress: { name: string; bytes: number; resumed: boolean }) => void
}

/**
 * Writes the constants, one source after the other, into `.<file>.partial`, and notes each that is
 * finished in `.<file>.journal`, with the digest of the file up to its end. A build that was killed
 * goes on behind the last source whose digest still holds. The file gets its name when it is whole.
 */
export async function writeDataFile(
  sources: readonly PlacedSource[],
  options: DataFileOptions,
): Promise<{ file: string; bytes: number; sha256: string }> {
  const { folder, file, identity, maker, onSource = () => undefined } = options
  const { partial, journal } = workFiles(folder, file)
  const begun = await readJournal(journal, identity)
  const handle = await open(partial, constants.O_RDWR | constants.O_CREAT)
  const output = { handle, hash: createHash('sha256'), position: 0 }
  try {
    const done = await verify(output, sources, begun)
    await writeFile(journal, [{ identity }, ...begun.slice(0, done)].map(toLine).join(''))
    for (const placed of sources.slice(0, done)) onSource({ ...factsOf(placed), resumed: true })
    let index = done
    for await (const made of inOrder(
      (each) => maker.make(each),
      [done, sources.length],
      maker.ahead,
    )) {
      const placed = sources[index++]!
      await writeSource(output, placed, made)
      const sha256 = output.hash.copy().digest('hex')
      await appendFile(journal, toLine({ end: placed.end, sha256 }))
      onSource({ ...factsOf(placed), resumed: false })
    }
    await handle.truncate(output.position)
  } finally {
    await handle.close()
  }
  await rename(partial, join(folder, file))
  await rm(journal, { force: true })
  return { file, bytes: output.position, sha256: output.hash.digest('hex') }
}

/** Removes what an unfinished build of the file has left. */
export async function discardDataFile(folder: string, file: string): Promise<void> {
  const { partial, journal } = workFiles(folder, file)
  await rm(partial, { force: true })
  await rm(journal, { force: true })
}

function workFiles(folder: string, file: string) {
  return { partial: join(folder, `.${file}.partial`), journal: join(folder, `.${file}.journal`) }
}

const headSchema = z.object({ identity: z.string() })
const entrySchema = z.object({ end: z.int().min(0), sha256: z.string() })
type JournalEntry = z.infer<typeof entrySchema>

/** Sources finished for this identity; none if there is no journal, or another's. */
async function readJournal(path: string, identity: string): Promise<JournalEntry[]> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const [head, ...lines] = text.split('\n').slice(0, -1) // a line without its end was cut off
  if (head === undefined || headSchema.safeParse(parseLine(head)).data?.identity !== identity) {
    return []
  }
  const entries: JournalEntry[] = []
  for (const line of lines) {
    const entry = entrySchema.safeParse(parseLine(line)).data
    if (entry === undefined) break
    entries.push(entry)
  }
  return entries
}

function toLine(entry: object): string {
  return `${JSON.stringify(entry)}\n`
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

interface Output {
  readonly handle: FileHandle
  /** Of the bytes before `position`. */
  hash: Hash
  position: number
}

/** Moves the output behind the last noted source whose bytes are still there; returns how many. */
async function verify(
  output: Output,
  sources: readonly PlacedSource[],
  begun: readonly JournalEntry[],
): Promise<number> {
  let done = 0
  for (const { end, sha256 } of begun) {
    if (sources[done]?.end !== end) break
    const hash = output.hash.copy()
    const isWhole = await hashRange(output.handle, hash, [output.position, end])
    if (!isWhole || hash.copy().digest('hex') !== sha256) break
    output.hash = hash
    output.position = end
    done++
  }
  return done
}

async function hashRange(
  handle: FileHandle,
  hash: Hash,
  [begin, end]: readonly [number, number],
): Promise<boolean> {
  const buffer = new Uint8Array(Math.min(BLOCK_BYTES, end - begin))
  let position = begin
  while (position < end) {
    const length = Math.min(buffer.length, end - position)
    const { bytesRead } = await handle.read(buffer, 0, length, position)
    if (bytesRead === 0) return false
    hash.update(buffer.subarray(0, bytesRead))
    position += bytesRead
  }
  return true
}

function factsOf({ source, tensors }: PlacedSource): { name: string; bytes: number } {
  return { name: source.name, bytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0) }
}

async function writeSource(
  output: Output,
  { tensors }: PlacedSource,
  made: MadeWeights,
): Promise<void> {
  for (const tensor of tensors) {
    await write(output, new Uint8Array(tensor.offset - output.position))
    await write(output, bytesOf(made[tensor.index], tensor))
  }
}

function bytesOf(made: ArrayBufferView | undefined, { name, bytes }: PlacedTensor): Uint8Array {
  if (made?.byteLength !== bytes) {
    throw new Error(`${name} was laid out with ${bytes} bytes and has ${made?.byteLength}`)
  }
  return new Uint8Array(made.buffer, made.byteOffset, made.byteLength)
}

async function write(output: Output, bytes: Uint8Array): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const chunk = bytes.subarray(done, done + WRITE_BYTES_MAX)
    const { bytesWritten } = await output.handle.write(chunk, 0, chunk.length, output.position)
    output.hash.update(chunk.subarray(0, bytesWritten))
    output.position += bytesWritten
    done += bytesWritten
  }
}
