"""A Hugging Face Llama or Qwen3 checkpoint as an SBD model: mask token, LoRA, attention mask, and the folder that is served."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask, create_block_mask
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from .layout import BLOCK_LENGTH_MAX, NO_BLOCK, Batch, visible
from .loss import scored_sums

FAMILIES = ("llama", "qwen3")
LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
NEW_MASK_TOKEN = "<|mask|>"


class BaseError(ValueError):
    """A base that cannot be tuned; the message says what is wrong with it."""


@dataclass(frozen=True)
class Lora:
    rank: int
    alpha: int


def load_base(folder: Path, device: str, dtype: torch.dtype) -> tuple[nn.Module, object]:
    """(model, tokenizer). FlexAttention on CUDA, a dense mask on the CPU."""
    family = AutoConfig.from_pretrained(folder).model_type
    if family not in FAMILIES:
        raise BaseError(f"{folder.name}: model_type '{family}' is not one of {', '.join(FAMILIES)}")
    attention = "flex_attention" if device == "cuda" else "sdpa"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation=attention)
    model.config.use_cache = False
    return model, AutoTokenizer.from_pretrained(folder)


@torch.no_grad()
def add_mask_token(model: nn.Module, tokenizer, reserved: str | None) -> int:
    """The id of the mask: the tokenizer's own, a reserved token by name, or a new one, for which the embedding grows.

    A mask that was never trained starts at the mean of all embeddings.
    """
    if tokenizer.mask_token_id is not None:
        return tokenizer.mask_token_id
    if reserved is not None and tokenizer.convert_tokens_to_ids(reserved) in (None, tokenizer.unk_token_id):
        raise BaseError(f"the tokenizer has no token '{reserved}'")
    tokenizer.add_special_tokens({"mask_token": reserved or NEW_MASK_TOKEN})
    mask_id = tokenizer.mask_token_id
    if mask_id >= model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(mask_id + 1, mean_resizing=False)
    weights = [model.get_input_embeddings().weight, model.get_output_embeddings().weight]
    for weight in weights if weights[0] is not weights[1] else weights[:1]:
        weight[mask_id] = weight[:mask_id].float().mean(0).to(weight.dtype)
    return mask_id


def with_lora(model: nn.Module, lora: Lora, mask_id: int) -> nn.Module:
    """All matrices of the layers get an adapter; of the embedding only the mask's row is trained."""
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=list(LORA_TARGETS),
        trainable_token_indices={"embed_tokens": [mask_id]},
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def flex_mask(batch: Batch) -> BlockMask:
    """The mask of layout.visible as FlexAttention wants it, never laid out densely."""
    size = batch.ids.shape[1]
    block, positions, limit = batch.block, batch.positions, batch.limit

    def rule(b: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        text = (block[b, key] == NO_BLOCK) & (positions[b, key] == key) & (positions[b, key] <= limit[b, query])
        return text | ((block[b, query] == block[b, key]) & (block[b, query] != NO_BLOCK))

    return create_block_mask(rule, len(batch.ids), None, size, size, device=str(batch.ids.device))


class SbdModel(nn.Module):
    """forward(batch) -> (4,): the fields of loss.Sums. One module, so that FSDP gathers embedding and head around the step."""

    def __init__(self, tuned: nn.Module) -> None:
        super().__init__()
        self.tuned = tuned

    @property
    def causal(self) -> nn.Module:
        """The Hugging Face model, adapters included."""
        return self.tuned.get_base_model() if hasattr(self.tuned, "get_base_model") else self.tuned

    def forward(self, batch: Batch, distil: float) -> Tensor:
        causal = self.causal
        mask = flex_mask(batch) if batch.ids.is_cuda else visible(batch)
        output = causal.model(input_ids=batch.ids, attention_mask=mask, position_ids=batch.positions, use_cache=False)
        sums = scored_sums(output.last_hidden_state, causal.lm_head, batch, distil)
        return torch.stack([sums.next_sum, sums.next_count, sums.masked_sum, sums.masked_count])


def context_length(model: nn.Module, limit: int) -> int:
    return min(limit, model.config.max_position_embeddings)


def stop_ids(model: nn.Module, tokenizer) -> list[int]:
    """Every end token that the base or its tokenizer names, and the one that its chat template puts behind an answer."""
    named = [model.generation_config.eos_token_id, model.config.eos_token_id, tokenizer.eos_token_id]
    flat = [i for ids in named for i in (ids if isinstance(ids, list) else [ids]) if i is not None]
    turn = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    if tokenizer.chat_template:
        rendered = tokenizer.apply_chat_template(turn, tokenize=False).rstrip()
        last = tokenizer(rendered, add_special_tokens=False)["input_ids"][-1]
        added = tokenizer.added_tokens_decoder.get(last)
        flat += [last] if added is not None and added.special else []
    return sorted(set(flat))


def save_folder(out: Path, model: nn.Module, tokenizer, facts: dict[str, object]) -> None:
    """What `npx setblock build <folder>` reads: bf16 weights in one file, tokenizer with its template, setblock.source.json."""
    model.to(torch.bfloat16)
    # A base may carry sampling settings that a plain save refuses; the server takes none from here.
    model.generation_config = GenerationConfig(eos_token_id=facts["eosTokenIds"], pad_token_id=facts["padTokenId"])
    model.save_pretrained(out, max_shard_size="1TB")
    template = tokenizer.chat_template
    tokenizer.save_pretrained(out)
    config_file = out / "tokenizer_config.json"
    config = json.loads(config_file.read_text(encoding="utf-8"))
    if template:
        (out / "chat_template.jinja").unlink(missing_ok=True)
        config["chat_template"] = template
    config_file.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "setblock.source.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def source_facts(name: str, model: nn.Module, tokenizer, context: int, provenance: dict[str, object]) -> dict[str, object]:
    stops = stop_ids(model, tokenizer)
    padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else stops[0]
    return {
        "id": name,
        "name": name,
        "maskTokenId": tokenizer.mask_token_id,
        "bosTokenId": tokenizer.bos_token_id if tokenizer.bos_token_id is not None else stops[0],
        "eosTokenIds": stops,
        "padTokenId": padding,
        "contextLength": context,
        "maxBlockLength": BLOCK_LENGTH_MAX,
        "defaults": {"mode": "verified", "gamma": 0.1, "rule": "prefix", "blockLength": 8},
        "provenance": provenance,
    }
