"""Builds the training stream and the evaluation sets, deterministically from one seed.

    python -m setblock_training.corpus --out build --tokens 30000000 --eval ../test/eval/tasks

Documents are chat turns (`<bos><user>..<end><assistant>..<end>`) or plain stories (`<bos>..<eos>`), concatenated.
Sources are mixed by their share of TOKENS; licensed sets repeat when used up, generators never do. No row that is
marked test, no story of the validation split and no generated prompt that hashes into the evaluation split is used.
"""

import argparse
import gzip
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from tokenizers import Tokenizer

from .generators import GENERATORS, chat
from .tokenizer import ASSISTANT, BOS, END, EOS, USER, save_tokenizer, train_tokenizer

DATA = Path(__file__).resolve().parent.parent / "data"
TAGS = {"snips": "snips", "hwu64": "hwu64", "tm4": "call", "nlrx": "regex", "scan": "scan"}
DOCUMENT_CHARACTERS_MAX = 1700  # longer prompts would not fit a training sequence of 512 tokens
HELD_OUT_ONE_IN = 40
# Share of tokens. Structured output is where block decoding pays; prose keeps the demo readable.
SHARES = {
    "stories": 0.22, "story-chat": 0.14, "snips": 0.13, "hwu64": 0.07, "tm4": 0.14, "nlrx": 0.05, "scan": 0.05,
    "order": 0.05, "math": 0.07, "sort": 0.02, "json": 0.03, "chat": 0.03,
}  # fmt: skip
STOP_WORDS = frozenset(
    "that this with they them their there then when what were have from would could very said your about into just "
    "like some because after before want wanted went came been again back than will each other every over down".split()
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


def task_documents(name: str, split: str) -> list[Document]:
    return [
        Document(text=row["output"], prompt=f"[{TAGS[name]}] {row['input']}")
        for row in read_rows(name)
        if row["split"] == split and len(row["input"]) + len(row["output"]) <= DOCUMENT_CHARACTERS_MAX
    ]


def story_texts(validation: bool) -> list[str]:
    rows = [row for row in read_rows("stories") if held_out(row.get("prompt") or row["text"]) == validation]
    return [re.sub(r"\n{2,}", "\n", row["text"]).strip() for row in rows]


def story_request(story: str, random: Random) -> Document:
    words = sorted({w for w in re.findall(r"\b[a-z]{4,9}\b", story) if w not in STOP_WORDS})
    chosen = random.sample(words, min(len(words), random.randint(1, 3)))
    request = random.choice(["Tell me a story about", "Write a short story with", "Write a story about"])
    return Document(text=story, prompt=f"{request} {', '.join(chosen)}." if chosen else "Tell me a story.")


def endless(documents: list[Document], random: Random) -> Iterator[Document]:
    while True:
        for document in random.sample(documents, len(documents)):
            yield document


def generated(make: Callable[[Random], tuple[str, str]], random: Random, evaluation: bool) -> Iterator[Document]:
    while True:
        prompt, answer = make(random)
        if held_out(prompt) == evaluation:
            yield Document(text=answer, prompt=prompt)


def chat_documents(random: Random) -> Iterator[Document]:
    while True:
        question, answer = chat(random)
        yield Document(text=answer, prompt=question)


def training_sources(seed: int) -> dict[str, Iterator[Document]]:
    draw = {name: Random(f"{seed}/{name}") for name in SHARES}
    stories = story_texts(validation=False)
    sources: dict[str, Iterator[Document]] = {
        "stories": endless([Document(text=story) for story in stories], draw["stories"]),
        "story-chat": (
            story_request(document.text, draw["story-chat"])
            for document in endless([Document(text=story) for story in stories], Random(f"{seed}/order"))
        ),
        "chat": chat_documents(draw["chat"]),
    }
    for name in TAGS:
        sources[name] = endless(task_documents(name, "train"), draw[name])
    for name, make in GENERATORS.items():
        sources[name] = generated(make, draw[name], evaluation=False)
    return sources


def encode(tokenizer: Tokenizer, document: Document) -> list[int]:
    ids = tokenizer.encode(document.text, add_special_tokens=False).ids
    if document.prompt is None:
        return [BOS, *ids, EOS]
    prompt = tokenizer.encode(document.prompt, add_special_tokens=False).ids
    return [BOS, USER, *prompt, END, ASSISTANT, *ids, END]


def build_stream(tokenizer: Tokenizer, tokens: int, seed: int) -> np.ndarray:
    """uint16 [tokens]. The next document comes from the source that is furthest below its share."""
    sources = training_sources(seed)
    written = dict.fromkeys(SHARES, 0)
    stream = np.empty(tokens, dtype=np.uint16)
    length = 0
    while length < tokens:
        name = min(SHARES, key=lambda source: written[source] / SHARES[source])
        ids = encode(tokenizer, next(sources[name]))[: tokens - length]
        stream[length : length + len(ids)] = ids
        length += len(ids)
        written[name] += len(ids)
    return stream


def evaluation_sets(seed: int, rows: int) -> dict[str, list[Document]]:
    sets = {}
    for name, tag in TAGS.items():
        documents = [d for d in task_documents(name, "test") if len(d.prompt or "") + len(d.text) < 1200]
        sets[tag] = Random(f"{seed}/eval/{name}").sample(documents, rows)
    for name, make in GENERATORS.items():
        source = generated(make, Random(f"{seed}/eval/{name}"), evaluation=True)
        sets[name] = list(itertools.islice(source, rows))
    return sets


def write_evaluation(folder: Path, seed: int, rows: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, documents in evaluation_sets(seed, rows).items():
        lines = [json.dumps({"prompt": d.prompt, "answer": d.text}, ensure_ascii=False) for d in documents]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def tokenizer_texts(seed: int, documents: int) -> Iterator[str]:
    sources = training_sources(seed)
    for name in SHARES:
        for document in itertools.islice(sources[name], documents):
            yield document.text
            if document.prompt is not None:
                yield document.prompt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for tokenizer and token streams")
    parser.add_argument("--tokens", type=int, default=30_000_000)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--eval", type=Path, help="also write the evaluation sets to this folder")
    parser.add_argument("--eval-rows", type=int, default=100)
    arguments = parser.parse_args()
    tokenizer = train_tokenizer(tokenizer_texts(arguments.seed, documents=6000), arguments.vocabulary)
    save_tokenizer(tokenizer, arguments.out, arguments.context)
    stream = build_stream(tokenizer, arguments.tokens, arguments.seed)
    stream.tofile(arguments.out / "train.bin")
    validation = [i for story in story_texts(validation=True)[:400] for i in encode(tokenizer, Document(story))]
    tasks = [i for ds in evaluation_sets(arguments.seed + 1, 100).values() for d in ds for i in encode(tokenizer, d)]
    np.array(validation + tasks, dtype=np.uint16).tofile(arguments.out / "validation.bin")
    if arguments.eval:
        write_evaluation(arguments.eval, arguments.seed, arguments.eval_rows)
    summary = {"vocabulary": tokenizer.get_vocab_size(), "tokens": len(stream), "validation": len(validation) + len(tasks)}
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
