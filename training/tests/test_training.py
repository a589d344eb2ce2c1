import json
from random import Random

import pytest
import torch

from setblock_training import decode
from setblock_training.checkpoint import load_checkpoint
from setblock_training.documents import Document, encode
from setblock_training.model import LanguageModel, ModelConfig
from setblock_training.tokenizer import END, MASK, save_tokenizer, train_tokenizer
from setblock_training.train import Trainer, learning_rate_scale, parser

LETTERS = "abcdefghijklmnopqrstuvwxyz"
STOPS = {END}


def row(n):
    """Four answers of about thirty tokens that cannot be confused after their prompt."""
    return {"prompt": f"say {n}", "answer": " ".join(Random(n).sample(LETTERS, 15))}


def corpus(folder):
    rows = [row(n) for n in range(4)]
    tokenizer = train_tokenizer([text for each in rows for text in each.values()], 300)
    save_tokenizer(tokenizer, folder, 64)
    for name in ("rows", "validation"):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return tokenizer


def trainer(folder, stage, tokens, init=None):
    command = ["--stage", stage, "--data", str(folder), "--documents", str(folder / "rows.jsonl"), "--size", "tiny",
               "--out", str(folder / f"{stage}.pt"), "--length", "64", "--rows", "1500", "--tokens", str(tokens),
               "--rate", "4e-3", "--warmup", "10", "--log", str(folder / "LOG.md"), "--no-compile", "--report", "1000",
               "--save-seconds", "1e9"]  # fmt: skip
    command += ["--init", str(init)] if init else []
    return Trainer(parser().parse_args(command))


@pytest.fixture(scope="module")
def overfitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("overfit")
    tokenizer = corpus(folder)
    trainer(folder, "ntp", 150_000).run()
    trainer(folder, "sbd", 240_000, init=folder / "ntp.pt").run()
    state = load_checkpoint(folder / "sbd.pt")
    model = LanguageModel(ModelConfig(**state["config"])).eval()
    model.load_state_dict(state["model"])
    encoded = [encode(tokenizer, Document(row(n)["answer"], row(n)["prompt"])) for n in range(4)]
    return model, folder, [(tokens[:start], tokens[start:]) for tokens, start in encoded]


def test_block_decoding_reproduces_an_overfitted_corpus_in_far_fewer_forwards(overfitted):
    model, _, texts = overfitted
    for prompt, answer in texts:
        assert decode.next_token(model, prompt, 40, STOPS, MASK) == (answer, len(answer))
        tokens, forwards = decode.set_block(model, prompt, 40, STOPS, MASK, gamma=0.1, block_length=8)
        assert tokens == answer
        assert forwards * 3 <= len(answer)


def test_prefix_decoding_at_gamma_0_equals_next_token_decoding_and_is_faster_above(overfitted):
    model, _, texts = overfitted
    for prompt, answer in texts:
        expected = decode.next_token(model, prompt, 40, STOPS, MASK)
        assert decode.prefix(model, prompt, 40, STOPS, MASK, gamma=0.0, block_length=8) == expected
        tokens, forwards = decode.prefix(model, prompt, 40, STOPS, MASK, gamma=0.35, block_length=8)
        assert tokens == answer
        assert forwards * 3 <= len(answer)


def test_verified_decoding_equals_next_token_decoding(overfitted):
    model, _, texts = overfitted
    for prompt in [prompt for prompt, _ in texts] + [[1, 77, 30], [1, 200, 250, 260]]:
        expected, forwards = decode.next_token(model, prompt, 40, STOPS, MASK)
        tokens, fewer = decode.verified(model, prompt, 40, STOPS, MASK, block_length=8)
        assert tokens == expected
        assert fewer <= forwards


def test_a_finished_run_is_logged(overfitted):
    _, folder, _ = overfitted
    assert [line.split("|")[2].strip() for line in (folder / "LOG.md").read_text().splitlines()] == ["ntp tiny", "sbd tiny"]


def test_an_interrupted_run_resumes_to_the_same_weights(tmp_path):
    corpus(tmp_path)
    tokens = 4000
    whole = trainer(tmp_path, "sbd", tokens)
    whole.run()
    (tmp_path / "sbd.pt").unlink()
    interrupted = trainer(tmp_path, "sbd", tokens)
    for _ in range(3):
        interrupted.train_step()
    interrupted.save()
    resumed = trainer(tmp_path, "sbd", tokens)
    assert resumed.step == 3
    resumed.run()
    assert resumed.step == whole.step > 4
    for name, value in whole.model.state_dict().items():
        assert torch.allclose(value, resumed.model.state_dict()[name], atol=1e-6), name


def test_the_schedule_warms_up_stays_and_falls_to_zero():
    assert learning_rate_scale(0.0, 0, warmup_steps=10, decay=0.4) == 0.1
    assert learning_rate_scale(0.5, 100, warmup_steps=10, decay=0.4) == 1.0
    assert abs(learning_rate_scale(0.8, 100, warmup_steps=10, decay=0.4) - 0.5) < 1e-9
    assert learning_rate_scale(1.0, 100, warmup_steps=10, decay=0.4) == 0.0
