"""The fine-tuning loop: one device, or FSDP over all ranks when started by torchrun."""

import argparse
import json
import math
import os
import shutil
import time
from contextlib import nullcontext
from pathlib import Path
from random import Random

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict, get_state_dict, set_state_dict
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from .hf_data import Example, read_examples
from .hf_model import Lora, SbdModel, add_mask_token, context_length, load_base, save_folder, source_facts, with_lora
from .layout import IGNORE, NO_BLOCK, Batch, Noise, lay_out, pad_to_batch

PAD_MULTIPLE = {"cuda": 128, "cpu": 32}  # 128: the tile of FlexAttention
CHECKPOINT = "checkpoint"


class Ranks:
    """Who this process is. Without torchrun: the only one."""

    def __init__(self) -> None:
        self.sharded = "LOCAL_RANK" in os.environ
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.rank, self.count = 0, 1
        if self.sharded:
            if self.device == "cuda":
                torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
            dist.init_process_group("nccl" if self.device == "cuda" else "gloo")
            self.rank, self.count = dist.get_rank(), dist.get_world_size()

    def total(self, values: Tensor) -> Tensor:
        if self.sharded:
            dist.all_reduce(values)
        return values

    def wait(self) -> None:
        if self.sharded:
            dist.barrier()

    def close(self) -> None:
        if self.sharded:
            dist.destroy_process_group()


def cosine_rate(rate: float, step: int, steps: int, warmup: int) -> float:
    """Warm-up to `rate`, then a cosine to a tenth of it."""
    if step < warmup:
        return rate * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return rate * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))


class FineTuner:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments, self.ranks = arguments, Ranks()
        self.lora = Lora(arguments.lora_rank, arguments.lora_alpha) if arguments.lora else None
        # Frozen weights may rest in bf16; FSDP wants one dtype for frozen and trained ones alike.
        self.dtype = torch.bfloat16 if self.lora and not self.ranks.sharded else torch.float32
        self.model, self.tokenizer = self.prepare(self.ranks.device, self.dtype)
        causal = self.model.causal
        self.context = context_length(causal, arguments.context)
        self.examples = read_examples(arguments.data, self.tokenizer, self.context)
        self.noise = Noise(self.tokenizer.mask_token_id, prompt_rate=arguments.prompt_rate)
        if arguments.gradient_checkpointing:
            causal.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
            causal.enable_input_require_grads()
        if self.ranks.sharded:
            shard(self.model)
        else:
            self.model.to(self.ranks.device)
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=arguments.rate, betas=(0.9, 0.95), weight_decay=arguments.weight_decay)
        self.step = 0
        self.resume()

    def prepare(self, device: str, dtype: torch.dtype) -> tuple[SbdModel, object]:
        torch.manual_seed(self.arguments.seed)  # the adapters start alike on every rank
        model, tokenizer = load_base(self.arguments.base, device, dtype)
        mask_id = add_mask_token(model, tokenizer, self.arguments.mask_token)
        return SbdModel(with_lora(model, self.lora, mask_id) if self.lora else model), tokenizer

    @property
    def checkpoint(self) -> Path:
        return self.arguments.out / CHECKPOINT

    def state(self) -> dict[str, object]:
        model, optimizer = get_state_dict(self.model, self.optimizer, options=StateDictOptions(ignore_frozen_params=True))
        return {"model": model, "optimizer": optimizer, "step": torch.tensor(self.step)}

    def save_checkpoint(self) -> None:
        """Written beside the old one and renamed: an interrupted run never leaves half a checkpoint."""
        partial = self.checkpoint.with_name(f"{CHECKPOINT}.partial")
        dcp.save(self.state(), checkpoint_id=partial, no_dist=not self.ranks.sharded)
        self.ranks.wait()
        if self.ranks.rank == 0:
            shutil.rmtree(self.checkpoint, ignore_errors=True)
            partial.rename(self.checkpoint)
        self.ranks.wait()

    def resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = self.state()
        dcp.load(state, checkpoint_id=self.checkpoint, no_dist=not self.ranks.sharded)
        set_state_dict(
            self.model,
            self.optimizer,
            model_state_dict=state["model"],
            optim_state_dict=state["optimizer"],
            options=StateDictOptions(ignore_frozen_params=True, strict=False),
        )
        self.step = int(state["step"])
        self.report({"resumedAtStep": self.step})

    def draw(self, index: int) -> Example:
        """Every epoch is its own shuffle of all examples."""
        epoch, place = divmod(index, len(self.examples))
        order = Random(f"{self.arguments.seed}/{epoch}").sample(range(len(self.examples)), len(self.examples))
        return self.examples[order[place]]

    def batches(self) -> list[Batch]:
        """This rank's part of the step: as many batches of as many sequences on every rank."""
        size, parts = self.arguments.batch, self.arguments.accumulate
        first = (self.step * self.ranks.count + self.ranks.rank) * size * parts
        random = Random(f"{self.arguments.seed}/{self.step}/{self.ranks.rank}")
        rows = [lay_out(*self.draw(first + i), self.noise, random) for i in range(size * parts)]
        pad = self.tokenizer.pad_token_id or 0
        multiple = PAD_MULTIPLE[self.ranks.device]
        return [pad_to_batch(rows[i : i + size], pad, multiple).to(self.ranks.device) for i in range(0, len(rows), size)]

    def train_step(self) -> dict[str, float]:
        arguments, batches = self.arguments, self.batches()
        rate = cosine_rate(arguments.rate, self.step, arguments.steps, arguments.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        scored = [(b.target != IGNORE) & (b.block == NO_BLOCK) for b in batches], [
            (b.target != IGNORE) & (b.block != NO_BLOCK) for b in batches
        ]
        counts = self.ranks.total(torch.stack([sum(part.sum() for part in parts).float() for parts in scored]))
        terms = counts[0] + arguments.masked_weight * counts[1]
        sums = torch.zeros(4, device=self.ranks.device)
        for batch in batches:
            with nullcontext() if self.ranks.sharded else torch.autocast(self.ranks.device, dtype=torch.bfloat16):
                part = self.model(batch, arguments.distil)
            # FSDP averages gradients over the ranks; the loss is one mean over the rows of all of them.
            loss = (part[0] + arguments.masked_weight * part[2]) / terms * self.ranks.count
            loss.backward()
            sums += part.detach()
        torch.nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.requires_grad], 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        sums = self.ranks.total(sums)
        return {"next": float(sums[0] / sums[1].clamp(min=1)), "masked": float(sums[2] / sums[3].clamp(min=1)), "rate": rate}

    def run(self) -> None:
        last_save = time.monotonic()
        while self.step < self.arguments.steps:
            losses = self.train_step()
            if self.step % self.arguments.report == 0 or self.step == self.arguments.steps:
                self.report({"step": self.step, **{name: float(f"{value:.5g}") for name, value in losses.items()}})
            if self.step % self.arguments.save_steps == 0:
                self.save_checkpoint()
                last_save = time.monotonic()
        if time.monotonic() - last_save > 0:
            self.save_checkpoint()
        self.export()
        self.ranks.close()

    def export(self) -> None:
        """Gathered on rank 0, adapters merged into float32 weights there, written as bf16."""
        state = get_model_state_dict(self.model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
        if self.ranks.rank == 0:
            whole, tokenizer = self.prepare("cpu", torch.float32)
            whole.load_state_dict(state)
            merged = whole.tuned.merge_and_unload() if self.lora else whole.tuned
            facts = source_facts(self.arguments.id, merged, tokenizer, self.context, self.provenance())
            save_folder(self.arguments.out, merged, tokenizer, facts)
        self.ranks.wait()

    def provenance(self) -> dict[str, object]:
        kind = f"LoRA rank {self.lora.rank}" if self.lora else "all weights"
        return {
            "createdBy": "setblock_training finetune",
            "license": self.arguments.license,
            "base": self.arguments.base.name,
            "tuned": kind,
            "steps": self.step,
        }

    def report(self, values: dict[str, object]) -> None:
        if self.ranks.rank == 0:
            print(json.dumps(values), flush=True)


def shard(model: SbdModel) -> None:
    """FSDP: each layer its own group, the rest one; bf16 in compute, float32 in the sums of gradients and in the weights."""
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    layers: nn.ModuleList = model.causal.model.layers
    for layer in layers:
        fully_shard(layer, mp_policy=policy)
    fully_shard(model, mp_policy=policy)
