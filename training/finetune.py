"""Teaches a Hugging Face Llama or Qwen3 checkpoint Set Block Decoding, on your data.

    python finetune.py --base ~/Qwen3-0.6B --data chats.jsonl --out ../models/my-model
    torchrun --nproc-per-node 8 finetune.py --base ... --data ... --out ...        # FSDP over eight GPUs
    npx setblock build models/my-model                                             # then serve it

Data: JSON Lines, each line {"text": ".."} (all of it is learned) or {"messages": [{"role": "..", "content": ".."}, ..]}
(every assistant turn is learned, rendered with the base's chat template). A run that was interrupted goes on from
<out>/checkpoint when the same command is given again.

Memory: all weights need about 16 bytes a parameter, shared by the ranks under torchrun; --lora needs about 2, or 4 shared by
the ranks. Activations: lower --context or --batch, raise --accumulate, keep --gradient-checkpointing.
"""

import argparse
import sys
from pathlib import Path

FULL_RATE, LORA_RATE = 2e-5, 2e-4


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="Hugging Face folder of a Llama or Qwen3 model")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="JSON Lines files")
    parser.add_argument("--out", type=Path, required=True, help="model folder that is written, and where the checkpoint lies")
    parser.add_argument("--id", help="the model's name in the API (default: the name of the folder)")
    parser.add_argument("--license", default="see the base model", help="written into the manifest")
    parser.add_argument("--mask-token", help="a token of the base to serve as mask, such as '<|reserved_special_token_0|>' "
                        "of Llama 3; without it the tokenizer's own mask token or a new one")  # fmt: skip
    parser.add_argument("--lora", action="store_true", help="train adapters and the mask's embedding only; merged when saved")
    parser.add_argument("--lora-rank", type=int, default=16)
    parser.add_argument("--lora-alpha", type=int, default=32)
    parser.add_argument("--context", type=int, default=2048, help="tokens of an example; longer ones are cut")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=4, help="sequences that one device computes at once")
    parser.add_argument("--accumulate", type=int, default=4, help="batches of one step on each device")
    parser.add_argument("--rate", type=float, help=f"default {FULL_RATE}, with --lora {LORA_RATE}")
    parser.add_argument("--warmup", type=int, default=50, help="steps")
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--masked-weight", type=float, default=1.0, help="weight of the masked term against the next-token term")
    parser.add_argument("--distil", type=float, default=0.0, help="0..1: share of the model's own causal prediction in masked targets")
    parser.add_argument("--prompt-rate", type=float, default=0.1, help="share of prompt tokens that carry next-token loss")
    parser.add_argument("--gradient-checkpointing", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--save-steps", type=int, default=200)
    parser.add_argument("--report", type=int, default=10, help="steps between two lines of losses")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def main() -> int:
    arguments = parser().parse_args()
    arguments.id = arguments.id or arguments.out.resolve().name
    arguments.rate = arguments.rate or (LORA_RATE if arguments.lora else FULL_RATE)
    from setblock_training.hf_data import DataError
    from setblock_training.hf_model import BaseError
    from setblock_training.hf_train import FineTuner

    try:
        FineTuner(arguments).run()
    except (BaseError, DataError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
