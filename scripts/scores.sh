#!/usr/bin/env bash
# Measures the model inside the binary on public data and writes the figures into README.md.
#
#   scripts/scores.sh DATA_DIR           rewrite the Scores section of README.md
#   scripts/scores.sh --check DATA_DIR   change nothing; exit 1 when a figure is below its gate
#
# DATA_DIR is laid out as for train-default.sh, with topic/test, spam/test, language/flores/test.jsonl.gz
# and noise/public.jsonl.gz. Set GLOTSIFT to a binary to measure that one instead of building.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${GLOTSIFT:-}" ]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml"
    GLOTSIFT=${CARGO_TARGET_DIR:-$root/target}/release/glotsift
fi
export GLOTSIFT
exec python3 "$root/scripts/scores.py" --readme "$root/README.md" "$@"
