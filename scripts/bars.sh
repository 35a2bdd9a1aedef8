#!/usr/bin/env bash
# Sets every goal for predictions beside what the model inside the binary reaches, and writes docs/bars.md.
#
#   scripts/bars.sh DATA_DIR
#
# Figures of peers and of the SIB-200 protocol are read from docs/peers.md and docs/sib-200.md, which have commands of
# their own; all others are measured here. Arabic topics are trained without each of their sources in turn (a minute).
# Set GLOTSIFT to a binary, and EXAMPLES to a folder with `language_check` and `boilerplate_lines`, instead of building.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${GLOTSIFT:-}" ]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml"
    GLOTSIFT=${CARGO_TARGET_DIR:-$root/target}/release/glotsift
fi
if [ -z "${EXAMPLES:-}" ]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml" --example language_check --example boilerplate_lines
    EXAMPLES=${CARGO_TARGET_DIR:-$root/target}/release/examples
fi
export GLOTSIFT EXAMPLES
exec python3 "$root/scripts/bars.py" --page "$root/docs/bars.md" "$@"
