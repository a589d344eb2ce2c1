"""Training documents: what is drawn, how often, and what is never trained on.

A document is a chat turn (`<bos><user>..<end><assistant>..<end>`) or a plain story (`<bos>..<eos>`). No row marked test,
no story of the validation split and no generated prompt that hashes into the evaluation split is drawn.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from tokenizers import Tokenizer

from .augment import PhraseExchange, SlotExchange
from .generators import GENERATORS, chat
from .tokenizer import ASSISTANT, BOS, END, EOS, USER

DATA = Path(__file__).resolve().parent.parent / "data"
TAGS = {"snips": "snips", "hwu64": "hwu64", "tm4": "call", "nlrx": "regex", "scan": "scan"}
EXCHANGES = {"snips": SlotExchange, "hwu64": SlotExchange, "nlrx": PhraseExchange}
DOCUMENT_CHARACTERS_MAX = 1700  # longer prompts would not fit a training sequence of 512 tokens
HELD_OUT_ONE_IN = 40
# How often each source is drawn, by documents. A story has ten times the tokens of a sorted list.
DRAWS = {
    "snips": 46, "hwu64": 26, "tm4": 3, "nlrx": 14, "scan": 6, "order": 1, "math": 5, "sort": 3, "json": 1, "copy": 5,
    "story": 3, "stories": 2, "story-chat": 2, "chat": 1,
}  # fmt: skip
STOP_WORDS = frozenset(
    "that this with they them their there then when what were have from would could very said your about into just "
    "like some because after before want wanted went came again been back than will each other every over down".split()
)


@dataclass(frozen=True)
class Document:
    text: str
    prompt: str | None = None  # None: a plain text, else one chat turn


def held_out(key: str) -> bool:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % HELD_OUT_ONE_IN == 0


def read_rows(name: str) -> list[dict[str, str]]:
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def task_rows(name: str, split: str) -> list[dict[str, str]]:
    rows = (row for row in read_rows(name) if row["split"] == split)
    return [row for row in rows if len(row["input"]) + len(row["output"]) <= DOCUMENT_CHARACTERS_MAX]


def task_document(name: str, sentence: str, answer: str) -> Document:
    return Document(text=answer, prompt=f"[{TAGS[name]}] {sentence}")


def story_texts(validation: bool) -> list[str]:
    rows = [row for row in read_rows("stories") if held_out(row.get("prompt") or row["text"]) == validation]
    return [re.sub(r"\n{2,}", "\n", row["text"]).strip() for row in rows]


def story_request(story: str, random: Random) -> Document:
    words = sorted({w for w in re.findall(r"\b[a-z]{4,9}\b", story) if w not in STOP_WORDS})
    chosen = random.sample(words, min(len(words), random.randint(1, 3)))
    request = random.choice(["Tell me a story about", "Write a short story with", "Write a story about"])
    return Document(text=story, prompt=f"{request} {', '.join(chosen)}." if chosen else "Tell me a story.")


def generate(make: Callable[[Random], tuple[str, str]], evaluation: bool, random: Random) -> Document:
    while True:
        prompt, answer = make(random)
        if held_out(prompt) == evaluation:
            return Document(text=answer, prompt=prompt)


Source = Callable[[Random], Document]


def licensed_source(name: str) -> Source:
    rows = task_rows(name, "train")
    exchange = EXCHANGES[name](rows) if name in EXCHANGES else lambda row, random: (row["input"], row["output"])
    tested = {row["input"].lower() for row in read_rows(name) if row["split"] != "train"}

    def draw(random: Random) -> Document:
        while True:
            sentence, answer = exchange(random.choice(rows), random)
            if sentence.lower() not in tested:  # an exchanged slot may make a test row
                return task_document(name, sentence, answer)

    return draw


def greeting(random: Random) -> Document:
    question, answer = chat(random)
    return Document(text=answer, prompt=question)


def training_sources() -> dict[str, Source]:
    """Each draws one document from the random.Random given: the same state, the same document."""
    stories = story_texts(validation=False)
    sources: dict[str, Source] = {
        "stories": lambda random: Document(text=random.choice(stories)),
        "story-chat": lambda random: story_request(random.choice(stories), random),
        "chat": greeting,
    }
    sources |= {name: licensed_source(name) for name in TAGS}
    return sources | {name: partial(generate, make, False) for name, make in GENERATORS.items()}


class Sampler:
    def __init__(self) -> None:
        self.sources = training_sources()

    def draw(self, random: Random) -> Document:
        name = random.choices(tuple(DRAWS), tuple(DRAWS.values()))[0]
        return self.sources[name](random)


class FileSampler:
    """Rows `{"prompt": .., "answer": ..}` of a JSON Lines file, each as likely as the next; a null prompt is a plain text."""

    def __init__(self, path: Path) -> None:
        self.documents = read_documents(path)

    def draw(self, random: Random) -> Document:
        return random.choice(self.documents)


def read_documents(path: Path) -> list[Document]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Document(text=row["answer"], prompt=row["prompt"]) for row in rows]


def encode(tokenizer: Tokenizer, document: Document) -> tuple[list[int], int]:
    """(token ids, index of the first token of the answer)."""
    ids = tokenizer.encode(document.text, add_special_tokens=False).ids
    if document.prompt is None:
        return [BOS, *ids, EOS], 1
    prompt = tokenizer.encode(document.prompt, add_special_tokens=False).ids
    head = [BOS, USER, *prompt, END, ASSISTANT]
    return [*head, *ids, END], len(head)


def evaluation_sets(seed: int, rows: int) -> dict[str, list[Document]]:
    sets = {}
    for name, tag in TAGS.items():
        documents = [task_document(name, row["input"], row["output"]) for row in task_rows(name, "test")]
        short = [d for d in documents if len(d.prompt or "") + len(d.text) < 1200]
        sets[tag] = Random(f"{seed}/eval/{name}").sample(short, rows)
    for name, make in GENERATORS.items():
        random = Random(f"{seed}/eval/{name}")
        sets[name] = [generate(make, True, random) for _ in range(rows)]
    return sets
