import type { Settings } from './settings.ts'

/** A prompt to begin with. */
export interface Example {
  name: string
  prompt: string
  /** Whether the answer is predictable enough for block decoding to pay. */
  pays: boolean
  settings?: Partial<Settings>
}

const COFFEE = `[call] user: I would like an Americano that has Vanilla.
call: {"call":"get_menu_items","args":{"query":"Americano"}}
result: {"menu_items":[{"menu_item_id":"americano-2456","name":"Americano"}]}`

/** In the formats the bundled model was trained on. */
export const EXAMPLES: readonly Example[] = [
  {
    name: 'Order to JSON',
    prompt:
      '[order] Hello, I am Olive. I would like 32 bells, 6 boxes, 18 shoes, 22 books. ' +
      'Bring them to Berlin on Tuesday.',
    pays: true,
  },
  { name: 'API call', prompt: COFFEE, pays: true },
  {
    name: 'Key-value list',
    prompt: '[json] name: Ada; city: Rome; age: 31; paid: true; colour: green; day: Friday',
    pays: true,
  },
  {
    name: 'Sum in words',
    prompt:
      '[math] Henry has 5 mugs. The number grows 4 times. Then Henry loses 10. ' +
      'Henry buys 14 more. How many mugs does Henry have?',
    pays: true,
  },
  {
    name: 'Sort words',
    prompt: '[sort] black quito pens athens lima lamps pears osaka',
    pays: false,
  },
  {
    name: 'Story',
    prompt: 'Tell me a story about a fox and a river.',
    pays: false,
    settings: { temperature: 0.7 },
  },
]
