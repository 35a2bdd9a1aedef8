#!/usr/bin/env bash
# Looks closer at the model inside the binary than scripts/scores.sh and writes docs/evaluation.md: coverage and
# calibration, the SIB-200 test split, robustness of spam, what the mistakes are.
#
#   scripts/evaluation.sh DATA_DIR [--size BYTES,... [--only-size] [--results FILE]]
#
# --size also trains the topics with tables of other sizes (some minutes each; 0 is unpruned) and writes how accuracy
# depends on it; without, that section stays as it is. --only-size leaves all others as they are. --results keeps the
# row of a size as soon as it is there, and does not train it again. Set GLOTSIFT to a binary to measure that one instead
# of building.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${GLOTSIFT:-}" ]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml"
    GLOTSIFT=${CARGO_TARGET_DIR:-$root/target}/release/glotsift
fi
export GLOTSIFT
exec python3 "$root/scripts/evaluation.py" --page "$root/docs/evaluation.md" "$@"
