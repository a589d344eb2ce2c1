/** The parts of the Durable Object API that are used here. */
export interface ObjectState {
  readonly storage: ObjectStorage
  waitUntil(work: Promise<unknown>): void
  /** Nothing else reaches the object until `work` has settled. */
  blockConcurrencyWhile<T>(work: () => Promise<T>): Promise<T>
}

export interface ObjectStorage {
  get(key: string): Promise<unknown>
  put(key: string, value: unknown): Promise<void>
  deleteAll(): Promise<void>
  /** Unix milliseconds; replaces the alarm that was set. */
  setAlarm(at: number): Promise<void>
  deleteAlarm(): Promise<void>
}

/** A binding to all objects of one class. */
export interface ObjectNamespace {
  idFromName(name: string): unknown
  get(id: unknown): ObjectStub
}

export interface ObjectStub {
  fetch(request: Request | string, init?: RequestInit): Promise<Response>
}
