"""finetune.py on tiny random Llama and Qwen3 checkpoints that transformers makes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

transformers = pytest.importorskip("transformers", reason="transformers is not installed: fine-tuning NOT tested")
pytest.importorskip("peft", reason="peft is not installed: fine-tuning NOT tested")
torch = pytest.importorskip("torch", reason="torch is not installed: fine-tuning NOT tested")

from tokenizers import Tokenizer  # noqa: E402

from setblock_training import decode  # noqa: E402
from setblock_training.checkpoint import read_hf_config  # noqa: E402
from setblock_training.hf_data import DataError, read_examples  # noqa: E402
from setblock_training.model import LanguageModel  # noqa: E402
from setblock_training.tokenizer import CHAT_TEMPLATE, train_tokenizer  # noqa: E402

FINETUNE = Path(__file__).resolve().parent.parent / "finetune.py"
TEXTS = ["the cat sat on a mat and saw nine red boats", "one dog ran up that hill with my old blue hat"]
FAMILIES = ("llama", "qwen3")
PADDED_VOCABULARY = 320  # rows of an embedding that has room, as Qwen3's has
SHAPE = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 16, "max_position_embeddings": 128, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip


def make_tokenizer():
    """Without a mask, but with a reserved token in its place."""
    raw = train_tokenizer(TEXTS, PADDED_VOCABULARY).to_str().replace("<|mask|>", "<|reserved|>")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(raw), bos_token="<|bos|>", eos_token="<|eos|>", pad_token="<|pad|>"
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def make_base(folder, family):
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    if family == "llama":
        config = transformers.LlamaConfig(**SHAPE, vocab_size=len(tokenizer), tie_word_embeddings=False)
        model = transformers.LlamaForCausalLM(config)
    else:
        config = transformers.Qwen3Config(**SHAPE, vocab_size=PADDED_VOCABULARY, tie_word_embeddings=True)
        model = transformers.Qwen3ForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def chats():
    return [{"messages": [{"role": "user", "content": f"say {n}"}, {"role": "assistant", "content": text}]} for n, text in enumerate(TEXTS)]


def finetune(base, data, out, *options, launcher=(sys.executable,)):
    command = [*launcher, str(FINETUNE), "--base", str(base), "--data", str(data), "--out", str(out), "--batch", "2",
               "--accumulate", "2", "--warmup", "5", "--report", "1000", *options]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def load_folder(folder):
    config = read_hf_config(folder)
    model = LanguageModel(config)
    state = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()
    model.load_state_dict({name: value for name, value in state.items() if name in model.state_dict()})
    return model.eval(), json.loads((folder / "setblock.source.json").read_text())


@pytest.mark.parametrize("family", FAMILIES)
def test_all_weights_learn_a_chat_well_enough_to_reveal_blocks(tmp_path, family):
    base = make_base(tmp_path / "base", family)
    out = tmp_path / "tuned"
    losses = finetune(base, write_rows(tmp_path / "chats.jsonl", chats()), out, "--steps", "130", "--rate", "4e-3", "--prompt-rate", "0")[-1]
    assert losses["next"] < 0.2 and losses["masked"] < 0.6
    model, facts = load_folder(out)
    tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    mask = facts["maskTokenId"]
    assert mask == tokenizer.mask_token_id == len(make_tokenizer())  # a new id
    # One embedding had to grow by one, the other had room.
    assert model.config.vocab_size == (mask + 1 if family == "llama" else PADDED_VOCABULARY)
    prompt = tokenizer.apply_chat_template(chats()[0]["messages"][:1], add_generation_prompt=True)["input_ids"]
    end = tokenizer.convert_tokens_to_ids("<|end|>")
    assert facts["eosTokenIds"] == [2, end]  # the base names the first, its chat template shows the second
    tokens, forwards = decode.verified(model, prompt, 60, {end}, mask, block_length=8)
    assert tokenizer.decode(tokens[:-1]) == TEXTS[0] and tokens[-1] == end
    assert forwards * 2 <= len(tokens)


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_is_merged_and_trains_the_reserved_mask(tmp_path, family):
    base = make_base(tmp_path / "base", family)
    out = tmp_path / "tuned"
    data = write_rows(tmp_path / "texts.jsonl", [{"text": text} for text in TEXTS])
    options = ["--lora", "--mask-token", "<|reserved|>", "--rate", "2e-2"]
    first = finetune(base, data, tmp_path / "short", *options, "--steps", "1")[-1]
    last = finetune(base, data, out, *options, "--steps", "40")[-1]
    assert last["next"] < first["next"] - 0.3 and last["masked"] < first["masked"] - 0.3
    model, facts = load_folder(out)
    assert facts["maskTokenId"] == 3
    before = transformers.AutoModelForCausalLM.from_pretrained(base).model.embed_tokens.weight
    changed = (model.model.embed_tokens.weight - before).abs().sum(-1) > 1e-2
    assert changed.nonzero().flatten().tolist() == [3]


def test_an_interrupted_run_resumes_to_the_same_weights(tmp_path):
    base = make_base(tmp_path / "base", "llama")
    data = write_rows(tmp_path / "chats.jsonl", chats())
    finetune(base, data, tmp_path / "whole", "--steps", "6", "--warmup", "9")
    finetune(base, data, tmp_path / "parts", "--steps", "3", "--warmup", "9")
    lines = finetune(base, data, tmp_path / "parts", "--steps", "6", "--warmup", "9")
    assert lines[0] == {"resumedAtStep": 3}
    whole, parts = (load_folder(tmp_path / name)[0].state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())


@pytest.mark.parametrize("lora", [False, True])
def test_two_ranks_with_fsdp_write_one_whole_model(tmp_path, lora):
    base = make_base(tmp_path / "base", "qwen3")
    data = write_rows(tmp_path / "chats.jsonl", chats())
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    options = ["--lora", "--rate", "2e-2"] if lora else ["--rate", "4e-3"]
    first = finetune(base, data, tmp_path / "one", "--steps", "1", *options, launcher=launcher)[-1]
    last = finetune(base, data, tmp_path / "tuned", "--steps", "25", *options, launcher=launcher)[-1]
    assert last["next"] < first["next"] - 0.3
    model, _ = load_folder(tmp_path / "tuned")
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


def test_a_conversation_gives_one_example_for_each_assistant_turn(tmp_path):
    tokenizer = transformers.AutoTokenizer.from_pretrained(make_base(tmp_path / "base", "llama"))
    turns = [("user", "hi"), ("assistant", "yes?"), ("user", "a cat"), ("assistant", "no")]
    row = {"messages": [{"role": role, "content": content} for role, content in turns]}
    examples = read_examples([write_rows(tmp_path / "x.jsonl", [row])], tokenizer, context=100)
    assert [tokenizer.decode(ids[start:]) for ids, start in examples] == ["yes?<|end|>", "no<|end|>"]
    assert tokenizer.decode(examples[1][0][: examples[1][1]]).endswith("a cat<|end|><|assistant|>")


@pytest.mark.parametrize(
    ("line", "named"),
    [("{", "not JSON"), ("{}", "'text' or 'messages'"), ('{"text": 5}', "'text'"), ('{"messages": [{"role": "user"}]}', "'messages'")],
)
def test_a_bad_row_is_named_by_file_line_and_field(tmp_path, line, named):
    tokenizer = transformers.AutoTokenizer.from_pretrained(make_base(tmp_path / "base", "llama"))
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "fine"}\n\n' + line + "\n")
    with pytest.raises(DataError, match="rows.jsonl:3") as error:
        read_examples([path], tokenizer, context=50)
    assert named in str(error.value)
