import numpy as np
import pytest
import torch

from setblock_training import decode
from setblock_training.checkpoint import load_checkpoint
from setblock_training.model import LanguageModel, ModelConfig
from setblock_training.tokenizer import BOS, EOS, MASK
from setblock_training.train import Trainer, learning_rate_scale, parser

# Four texts that cannot be confused after their second token.
TEXTS = [[BOS, 10 + n, *[20 + (n * 37 + 11 * i * i + i) % 400 for i in range(29)], EOS] for n in range(4)]
STOPS = {EOS}


def trainer(folder, stage, tokens, init=None):
    command = ["--stage", stage, "--data", str(folder), "--out", str(folder / f"{stage}.pt"), "--size", "tiny",
               "--length", "64", "--batch", "16", "--tokens", str(tokens), "--rate", "4e-3", "--warmup", "10",
               "--log", str(folder / "LOG.md"), "--no-compile", "--report", "1000", "--save-seconds", "1e9"]  # fmt: skip
    command += ["--init", str(init)] if init else []
    return Trainer(parser().parse_args(command))


@pytest.fixture(scope="module")
def overfitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("overfit")
    random = np.random.default_rng(0)
    stream = np.concatenate([TEXTS[n] for n in random.integers(0, 4, 2000)]).astype(np.uint16)
    stream.tofile(folder / "train.bin")
    stream[:2000].tofile(folder / "validation.bin")
    trainer(folder, "ntp", 200_000).run()
    trainer(folder, "sbd", 700_000, init=folder / "ntp.pt").run()
    state = load_checkpoint(folder / "sbd.pt")
    model = LanguageModel(ModelConfig(**state["config"])).eval()
    model.load_state_dict(state["model"])
    return model, folder


def test_block_decoding_reproduces_an_overfitted_corpus_in_far_fewer_forwards(overfitted):
    model, _ = overfitted
    for text in TEXTS:
        prompt, answer = text[:2], text[2:]
        assert decode.next_token(model, prompt, 40, STOPS, MASK) == (answer, len(answer))
        tokens, forwards = decode.set_block(model, prompt, 40, STOPS, MASK, gamma=0.1, block_length=8)
        assert tokens == answer
        assert forwards * 3 <= len(answer)


def test_verified_decoding_equals_next_token_decoding(overfitted):
    model, _ = overfitted
    for prompt in [text[:2] for text in TEXTS] + [[BOS, 77, 30], [BOS, 200, 300, 301]]:
        expected, forwards = decode.next_token(model, prompt, 40, STOPS, MASK)
        tokens, fewer = decode.verified(model, prompt, 40, STOPS, MASK, block_length=8)
        assert tokens == expected
        assert fewer <= forwards


def test_a_finished_run_is_logged(overfitted):
    _, folder = overfitted
    assert [line.split("|")[2].strip() for line in (folder / "LOG.md").read_text().splitlines()] == ["ntp tiny", "sbd tiny"]


def test_an_interrupted_run_resumes_to_the_same_weights(tmp_path):
    np.random.default_rng(1).integers(8, 400, 5000).astype(np.uint16).tofile(tmp_path / "train.bin")
    np.zeros(10, dtype=np.uint16).tofile(tmp_path / "validation.bin")
    tokens = 16 * 64 * 6
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
    assert resumed.step == whole.step == 6
    for name, value in whole.model.state_dict().items():
        assert torch.allclose(value, resumed.model.state_dict()[name], atol=1e-6), name


def test_the_schedule_warms_up_stays_and_falls_to_zero():
    assert learning_rate_scale(0.0, 0, warmup_steps=10, decay=0.4) == 0.1
    assert learning_rate_scale(0.5, 100, warmup_steps=10, decay=0.4) == 1.0
    assert abs(learning_rate_scale(0.8, 100, warmup_steps=10, decay=0.4) - 0.5) < 1e-9
    assert learning_rate_scale(1.0, 100, warmup_steps=10, decay=0.4) == 0.0
