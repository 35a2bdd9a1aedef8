#!/usr/bin/env bash
# Sets every goal of speed beside what is reached, and writes docs/speed.md.
#
#   scripts/speed.sh DATA_DIR [--quick] [--only PART,...]
#
# PART is one of wire, pipeline, peers, training, size; all when left out, and of the page the others stay as they are. DATA_DIR has bench/topic and bench/spam. All are
# ratios of CPU time within one run; --quick leaves out texts of 300 KB and more. fastText and scikit-learn come from
# PyPI into a virtual environment (PEERS_VENV, as scripts/peers.sh); what cannot be installed is skipped, aloud.
set -euo pipefail

data=${1:?usage: scripts/speed.sh DATA_DIR [--quick] [--only PART,...]}
shift
root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
cargo build --release --quiet --manifest-path "$root/Cargo.toml" --bins --example wire
case "$*" in
    *--only*pipeline* | *--only*peers*) bench=true ;;
    *--only*) bench= ;;
    *) bench=true ;;
esac
[ -z "$bench" ] || cargo build --release --quiet --manifest-path "$root/bench/Cargo.toml" --bin pipeline --bin scoring
export GLOTSIFT=$target/release/glotsift WIRE=$target/release/examples/wire
export BENCH=${CARGO_TARGET_DIR:-$root/bench/target}/release

venv=${PEERS_VENV:-${TMPDIR:-/tmp}/glotsift-peers-venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
for package in scikit-learn fasttext-wheel; do
    if ! "$venv/bin/pip" show --quiet "$package" 2>/dev/null; then
        "$venv/bin/pip" install --quiet "$package" || echo "SKIPPED: $package cannot be installed" >&2
    fi
done
exec "$venv/bin/python" "$root/scripts/speed.py" "$data" --page "$root/docs/speed.md" "$@"
