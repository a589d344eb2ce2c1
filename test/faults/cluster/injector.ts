import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster, Seat } from './cluster.ts'
import type { Disk } from './disk.ts'
import type { Fault } from './fault-plan.ts'
import type { FaultProxy } from './fault-proxy.ts'
import type { Findings } from './findings.ts'

/** Brings planned faults over a cluster: one at a time over each part of it, several over all. */
export class Injector {
  readonly #cluster: Cluster
  readonly #disk: Disk | null
  readonly #findings: Findings
  /** What is still going on at each part. */
  readonly #under = new Map<string, Promise<void>>()

  constructor(cluster: Cluster, disk: Disk | null, findings: Findings) {
    this.#cluster = cluster
    this.#disk = disk
    this.#findings = findings
  }

  /** Resolves when the fault has begun and its gap is over. */
  async inject(fault: Fault): Promise<void> {
    const { kind, worker, gapMs } = fault
    const part = partOf(fault)
    await this.#under.get(part)
    if (part === 'disk' && this.#disk === null) return this.#findings.count('skipped-no-disk')
    this.#findings.count('faults')
    this.#findings.count(`fault-${kind}`)
    const seat = this.#cluster.seats[worker]!
    if (this.#findings.inFlight > 0) this.#findings.count('faults-in-streams')
    this.#under.set(part, this.#bring(fault, seat))
    await sleep(gapMs)
  }

  /** Resolves when nothing is going on any more. @throws what a fault threw */
  async over(): Promise<void> {
    await Promise.all(this.#under.values())
  }

  async #bring(fault: Fault, seat: Seat): Promise<void> {
    const { kind, lastsMs, amount } = fault
    const cluster = this.#cluster
    const { proxy } = seat
    switch (kind) {
      case 'reset':
        return proxy.reset()
      case 'cut':
        return during(lastsMs, proxy, () => proxy.cut())
      case 'hold':
        return during(lastsMs, proxy, () => proxy.hold())
      case 'delay':
        return during(lastsMs, proxy, () => proxy.slow(amount))
      case 'narrow':
        return during(lastsMs, proxy, () => proxy.narrow(amount))
      case 'pause':
        seat.worker.pause()
        await sleep(lastsMs)
        return seat.worker.resume()
      case 'kill':
        return seat.replace('kill', lastsMs)
      case 'drain':
        return seat.replace('stop', lastsMs)
      case 'disk-full':
        await this.#disk!.fill()
        await sleep(lastsMs)
        return this.#disk!.empty()
      case 'disk-stall':
        this.#disk!.freeze()
        await sleep(lastsMs)
        return this.#disk!.thaw()
      case 'clock':
        return jump((offsetMs) => seat.setClock(offsetMs), fault)
      case 'edge-clock':
        return jump((offsetMs) => cluster.setEdgeClock(offsetMs), fault)
      case 'edge-kill':
        return cluster.replaceEdge('SIGKILL', lastsMs)
      case 'edge-drain':
        return cluster.replaceEdge('SIGTERM', lastsMs)
    }
  }
}

async function during(lastsMs: number, proxy: FaultProxy, begin: () => void): Promise<void> {
  begin()
  await sleep(lastsMs)
  proxy.heal()
}

async function jump(set: (offsetMs: number) => void, { lastsMs, amount }: Fault): Promise<void> {
  set(amount)
  await sleep(lastsMs)
  set(0)
}

function partOf({ kind, worker }: Fault): string {
  if (kind.startsWith('disk')) return 'disk'
  return kind.startsWith('edge') ? 'edge' : String(worker)
}
