#!/usr/bin/env bash
# Compares glotsift with scikit-learn, fastText and CLD2 on public benchmarks, same train, same test, and with
# whatlang, lingua and whichlang (the package in bench/) on short texts.
#
#   scripts/peers.sh DATA_DIR [--only NAME,...] [--limit ROWS] [--results FILE] [--again PEER]
#       [--write PAGE] [--tables]
#
# --write PAGE puts the tables into a page (docs/peers.md) as well; --tables computes nothing and shows what is in
# --results.
# The peers come from PyPI into a virtual environment (PEERS_VENV, glotsift-peers-venv in the temporary
# folder when not set); what cannot be installed is left out, aloud. Set GLOTSIFT to a binary instead of building.
set -euo pipefail

data=${1:?usage: scripts/peers.sh DATA_DIR [--only NAME,...] [--limit ROWS] [--results FILE] [--again PEER] [--write PAGE] [--tables]}
shift
root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${GLOTSIFT:-}" ]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml"
    GLOTSIFT=${CARGO_TARGET_DIR:-$root/target}/release/glotsift
fi
export GLOTSIFT

venv=${PEERS_VENV:-${TMPDIR:-/tmp}/glotsift-peers-venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
for package in scikit-learn fasttext-wheel pycld2; do
    if ! "$venv/bin/pip" show --quiet "$package" 2>/dev/null; then
        "$venv/bin/pip" install --quiet "$package" || echo "SKIPPED: $package cannot be installed" >&2
    fi
done
exec "$venv/bin/python" "$root/scripts/peers.py" "$data" "$@"
