#!/usr/bin/env bash
# The SIB-200 protocol: a model of its own is trained on the train split and scored on the test split of all
# 205 languages, the language given. Prints the mean over languages and writes docs/sib-200.md.
#
#   scripts/sib200.sh DATA_DIR [--split dev] [--no-write] [TRAIN_OPTION…]
#
# DATA_DIR has language/flores/{train,dev,test}.jsonl.gz with `text`, `lang`, `script` and `topic`. Options are
# chosen on dev, never on test. Set GLOTSIFT to a binary instead of building.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${GLOTSIFT:-}" ]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml"
    GLOTSIFT=${CARGO_TARGET_DIR:-$root/target}/release/glotsift
fi
export GLOTSIFT
exec python3 "$root/scripts/sib200.py" --out "$root/docs/sib-200.md" "$@"
