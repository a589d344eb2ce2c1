#!/usr/bin/env bash
# Trains a model like models/setblock-nano from nothing: tokenizer, next-token pre-training, SBD fine-tuning, export.
# Interrupted? Run it again: finished steps are skipped, a half-done one resumes from its checkpoint.
#   BUILD=build OUT=build/model NTP_TOKENS=9000000 SBD_TOKENS=10000000 bash recipe.sh
set -euo pipefail
cd "$(dirname "$0")"
: "${PYTHON:=python3}" "${BUILD:=build}" "${OUT:=../models/setblock-nano}" "${NTP_TOKENS:=9000000}" "${SBD_TOKENS:=10000000}"

# Large activations would otherwise be mapped and unmapped at every step.
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=1000000000000 MALLOC_TOP_PAD_=268435456
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1 OMP_WAIT_POLICY=PASSIVE

[ -f "$BUILD/tokenizer.json" ] || "$PYTHON" -m setblock_training.corpus --out "$BUILD" --eval ../test/eval/tasks
[ -f "$BUILD/ntp.done" ] || "$PYTHON" -m setblock_training.train --stage ntp --data "$BUILD" --out "$BUILD/ntp.pt" --tokens "$NTP_TOKENS"
touch "$BUILD/ntp.done"
[ -f "$BUILD/sbd.done" ] || "$PYTHON" -m setblock_training.train --stage sbd --data "$BUILD" --out "$BUILD/sbd.pt" \
  --init "$BUILD/ntp.pt" --tokens "$SBD_TOKENS" --rate 1e-3 --rows 6000 --micro-rows 3072 --distil 0.5
touch "$BUILD/sbd.done"
"$PYTHON" -m setblock_training.export --checkpoint "$BUILD/sbd.pt" --tokenizer "$BUILD" --out "$OUT"
