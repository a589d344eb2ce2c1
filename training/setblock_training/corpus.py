"""Writes what training needs besides the documents, which are drawn while it runs: tokenizer, validation text, evaluation sets.

    python -m setblock_training.corpus --out build --eval ../test/eval/tasks

Everything follows from one seed.
"""

import argparse
import json
from pathlib import Path
from random import Random

from .documents import Document, Sampler, evaluation_sets, story_texts
from .tokenizer import save_tokenizer, train_tokenizer

VALIDATION_STORIES, VALIDATION_ROWS = 200, 60


def write_evaluation(folder: Path, seed: int, rows: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, documents in evaluation_sets(seed, rows).items():
        write_documents(folder / f"{name}.jsonl", documents)


def write_documents(path: Path, documents: list[Document]) -> None:
    lines = [json.dumps({"prompt": d.prompt, "answer": d.text}, ensure_ascii=False) for d in documents]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def tokenizer_texts(seed: int, documents: int) -> list[str]:
    sampler, random = Sampler(), Random(f"{seed}/tokenizer")
    drawn = [sampler.draw(random) for _ in range(documents)]
    return [text for document in drawn for text in (document.text, document.prompt) if text is not None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the tokenizer and the validation documents")
    parser.add_argument("--documents", type=int, default=60_000, help="that the tokenizer is trained on")
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--eval", type=Path, help="also write the evaluation sets to this folder")
    parser.add_argument("--eval-rows", type=int, default=100)
    arguments = parser.parse_args()
    tokenizer = train_tokenizer(tokenizer_texts(arguments.seed, arguments.documents), arguments.vocabulary)
    save_tokenizer(tokenizer, arguments.out, arguments.context)
    validation = [Document(text=story) for story in story_texts(validation=True)[:VALIDATION_STORIES]]
    # Generated prompts only: the licensed sets have no third split, so their validation rows are test rows of another draw.
    for documents in evaluation_sets(arguments.seed + 1, VALIDATION_ROWS).values():
        validation += documents
    write_documents(arguments.out / "validation.jsonl", validation)
    if arguments.eval:
        write_evaluation(arguments.eval, arguments.seed, arguments.eval_rows)
    print(json.dumps({"vocabulary": tokenizer.get_vocab_size(), "validation": len(validation)}))


if __name__ == "__main__":
    main()
