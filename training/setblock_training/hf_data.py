"""JSON Lines for fine-tuning: `{"text": ".."}` or `{"messages": [{"role": "..", "content": ".."}, ..]}`."""

import json
from collections.abc import Iterator
from pathlib import Path

Example = tuple[list[int], int]  # token ids, index of the first token that is learned


class DataError(ValueError):
    """A row that cannot be used; the message names file, line and field."""


def read_rows(path: Path) -> Iterator[tuple[str, dict]]:
    """(where, row) for each line that is not empty."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{path.name}:{number}"
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{where}: not JSON: {error}") from error
            if not isinstance(row, dict) or ("text" in row) == ("messages" in row):
                raise DataError(f"{where}: needs either 'text' or 'messages'")
            yield where, row


def text_example(tokenizer, text: object, where: str) -> Example:
    """The whole text is learned, and the end of text after it."""
    if not isinstance(text, str) or not text:
        raise DataError(f"{where}: 'text' must be a string that is not empty")
    ids = tokenizer(text)["input_ids"]
    start = [] if tokenizer.bos_token_id is None or ids[:1] == [tokenizer.bos_token_id] else [tokenizer.bos_token_id]
    return [*start, *ids, tokenizer.eos_token_id], 1


def chat_examples(tokenizer, messages: object, where: str) -> Iterator[Example]:
    """One example for each assistant turn: the conversation up to it as the server would render it, then the turn.

    Prompt and answer are tokenized apart, because that is where the server's prompt ends.
    """
    if not isinstance(messages, list) or not all(
        isinstance(m, dict) and isinstance(m.get("role"), str) and isinstance(m.get("content"), str) for m in messages
    ):
        raise DataError(f"{where}: 'messages' must be a list of {{'role', 'content'}}")
    if not tokenizer.chat_template:
        raise DataError(f"{where}: 'messages' need a chat template, and the tokenizer of the base has none")
    render = lambda turns, prompt: tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=prompt)
    ids = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        prompt, whole = render(messages[:index], True), render(messages[: index + 1], False).rstrip()
        if not whole.startswith(prompt):
            raise DataError(f"{where}: the chat template changes earlier turns when 'messages[{index}]' is added")
        head = ids(prompt)
        yield [*head, *ids(whole[len(prompt) :])], len(head)


def read_examples(paths: list[Path], tokenizer, context: int) -> list[Example]:
    """Cut to `context` tokens; an example of whose answer nothing is left is dropped."""
    examples: list[Example] = []
    for path in paths:
        for where, row in read_rows(path):
            if "text" in row:
                examples.append(text_example(tokenizer, row["text"], where))
            else:
                examples += chat_examples(tokenizer, row["messages"], where)
    kept = [(ids[:context], start) for ids, start in examples if 1 <= start < min(len(ids), context)]
    if not kept:
        raise DataError(f"no example has an answer within the first {context} tokens")
    return kept
