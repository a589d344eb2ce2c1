"""Task generators of our own. Each draws (prompt, answer) from a seeded random.Random; every answer is checkable."""

import json
from collections.abc import Callable
from random import Random

from .world import world_question

Example = tuple[str, str]  # prompt, answer

NAMES = (
    "Ada Bruno Clara Dario Elena Felix Gita Henry Iris Jonas Kira Leo Maya Nils Olive Pablo Ruth Simon Tara Umar "
    "Vera Walter Yusuf Zoe Amir Bella Chen Dora Emil Fatima"
).split()
GOODS = (
    "apples pears lemons plums carrots onions books pens lamps chairs shirts hats cups plates keys bags shoes coats "
    "toys clocks mugs ropes boxes bikes tents maps drums kites bells candles"
).split()
CITIES = "Paris Berlin Madrid Rome Oslo Vienna Lisbon Dublin Prague Warsaw Athens Helsinki Cairo Lima Quito Osaka".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
COLOURS = "red blue green yellow white black brown grey pink purple".split()


def order(random: Random) -> Example:
    """A free-text order and its JSON record."""
    goods = random.sample(GOODS, random.randint(1, 4))
    items = [{"name": name, "quantity": random.randint(1, 60)} for name in goods]
    customer, city, day = random.choice(NAMES), random.choice(CITIES), random.choice(DAYS)
    urgent = random.random() < 0.3
    listed = ", ".join(f"{item['quantity']} {item['name']}" for item in items)
    text = random.choice(
        [
            f"{customer} in {city} needs {listed} on {day}{', and it is urgent' if urgent else ''}.",
            f"Please send {listed} to {customer}, {city}. Delivery: {day}.{' Urgent!' if urgent else ''}",
            f"Hello, I am {customer}. I would like {listed}{' quickly' if urgent else ''}. Bring them to {city} on {day}.",
            f"Order for {city}, {day}: {listed}. Customer {customer}.{' This is urgent.' if urgent else ''}",
        ]
    )
    record = {"customer": customer, "city": city, "day": day, "urgent": urgent, "items": items}
    return f"[order] {text}", json.dumps(record, separators=(",", ":"))


def worked_sum(total: int, amount: int, sign: int) -> tuple[str, int]:
    """`37 + 18 = 47 + 8 = 55`: tens first, then units, so that no step carries more than once."""
    symbol, result = ("+", total + amount) if sign > 0 else ("-", total - amount)
    tens, units = amount - amount % 10, amount % 10
    middle = f" = {total + sign * tens} {symbol} {units}" if tens and units else ""
    return f"{total} {symbol} {amount}{middle} = {result}", result


def worked_product(total: int, factor: int) -> tuple[str, int]:
    """`148 * 3 = 300 + 120 + 24 = 420 + 24 = 444`: digit by digit, then added from the left."""
    digits = str(total)
    parts = [int(d) * 10 ** (len(digits) - 1 - i) * factor for i, d in enumerate(digits) if d != "0"]
    sums = [f"{total} * {factor}"]
    while len(parts) > 1:
        sums.append(" + ".join(map(str, parts)))
        parts = [parts[0] + parts[1], *parts[2:]]
    return " = ".join([*sums, str(total * factor)]), total * factor


def arithmetic(random: Random) -> Example:
    """A short word problem with its worked steps."""
    name, goods, total = random.choice(NAMES), random.choice(GOODS), random.randint(2, 40)
    story, steps = [f"{name} has {total} {goods}."], []
    for _ in range(random.randint(1, 4)):
        amount, kind = random.randint(2, 20), random.randrange(3)
        if kind == 0:
            story.append(random.choice([f"{name} buys {amount} more.", f"A friend gives {name} {amount} more."]))
            step, total = worked_sum(total, amount, 1)
        elif kind == 1 and total > amount:
            story.append(random.choice([f"{name} gives away {amount}.", f"Then {name} loses {amount}."]))
            step, total = worked_sum(total, amount, -1)
        else:
            factor = random.randint(2, 4)
            story.append(f"The number grows {factor} times.")
            step, total = worked_product(total, factor)
        steps.append(step)
    answer = "; ".join(steps) + f". {name} has {total} {goods}."
    return f"[math] {' '.join(story)} How many {goods} does {name} have?", answer


def sorting(random: Random) -> Example:
    words = random.sample(GOODS + [city.lower() for city in CITIES] + COLOURS, random.randint(3, 9))
    return f"[sort] {' '.join(words)}", " ".join(sorted(words))


def reformat(random: Random) -> Example:
    """Key-value lines to a JSON object, keys in the given order."""
    fields = {
        "name": random.choice(NAMES),
        "city": random.choice(CITIES),
        "age": random.randint(5, 99),
        "colour": random.choice(COLOURS),
        "day": random.choice(DAYS),
        "item": random.choice(GOODS),
        "count": random.randint(1, 500),
        "paid": random.random() < 0.5,
    }
    keys = random.sample(list(fields), random.randint(2, 7))
    text = "; ".join(f"{key}: {json.dumps(fields[key]).strip(chr(34))}" for key in keys)
    return f"[json] {text}", json.dumps({key: fields[key] for key in keys}, separators=(",", ":"))


_ONSETS = "b c d f g h j k l m n p r s t v w z bl br ch cl dr fl gr pl sh st th tr".split()
_VOWELS = "a e i o u ai ea ee oo ou".split()
_ENDS = ["", "", "", "n", "r", "s", "l", "t", "m", "ck", "nd", "ng", "rt"]


def invented_word(random: Random) -> str:
    """A pronounceable word that means nothing: it can only be copied."""
    word = "".join(random.choice(_ONSETS) + random.choice(_VOWELS) + random.choice(_ENDS) for _ in range(random.randint(1, 3)))
    return word.capitalize() if random.random() < 0.5 else word


def copying(random: Random) -> Example:
    """Words and numbers to a JSON list, half of them invented."""
    known = GOODS + list(CITIES) + list(NAMES) + COLOURS
    words = [
        random.choice([invented_word, lambda r: r.choice(known), invented_word, lambda r: str(r.randint(0, 999))])(random)
        for _ in range(random.randint(2, 9))
    ]
    return f"[copy] {' '.join(words)}", json.dumps(words, separators=(",", ":"))


GENERATORS: dict[str, Callable[[Random], Example]] = {
    "order": order,
    "math": arithmetic,
    "sort": sorting,
    "json": reformat,
    "copy": copying,
    "story": world_question,
}

_IDENTITY = (
    "I am Setblock nano, a small language model that reveals several words of its answer at once.",
    "I am Setblock nano, a very small model. I write short stories and turn sentences into JSON.",
)
_ABILITIES = (
    "I can tell short stories, turn a sentence into JSON, write a call for a coffee order, sort words and do small sums.",
    "Ask me for a story about an animal, or give me a sentence to turn into JSON.",
)
_BLOCKS = (
    "Most models write one token at a time. I guess a whole block of tokens at once and keep those that are sure.",
    "Set block decoding means that several tokens of a block are revealed in one forward pass.",
)
_CHAT: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("Hi", "Hello", "Hey", "Hello there", "Good morning", "Hi there", "Good evening"),
     ("Hello! How can I help you?", "Hi! Shall I tell you a story?", "Hello! Ask me for a story or a sum.")),
    (("Who are you?", "What are you?", "What is your name?", "Tell me about yourself", "Are you a person?"), _IDENTITY),
    (("What can you do?", "How can you help me?", "What are you good at?", "Help"), _ABILITIES),
    (("What is set block decoding?", "How do you work?", "Why are you fast?", "How do you write?"), _BLOCKS),
    (("Thank you", "Thanks", "Thanks a lot", "Great, thank you"), ("You are welcome!", "Happy to help!", "Any time!")),
    (("Bye", "Goodbye", "See you", "Good night"), ("Goodbye!", "See you soon!", "Bye! Come back for a story.")),
    (("How are you?", "How do you feel?", "Are you well?"),
     ("I am a small model, so I have no feelings, but I am ready to help.", "I am ready. What shall we write?")),
    (("What is the weather today?", "What time is it?", "Who is the president?", "What is the news?"),
     ("I do not know. I am a very small model and cannot look things up.",
      "I cannot look things up. I can tell you a story instead.")),
)


def chat(random: Random) -> Example:
    """Short greetings, identity and honest refusals."""
    questions, answers = random.choice(_CHAT)
    question = random.choice(questions)
    change = random.random()
    if change < 0.2:
        question = question.lower()
    elif change < 0.3:
        question = question.rstrip("?") + "!"
    return question, random.choice(answers)
