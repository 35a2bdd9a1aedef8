#!/usr/bin/env bash
# Trains the shipped bundle, models/default, with the command line alone.
#
#   scripts/train-default.sh DATA_DIR [OUT_DIR]
#
# DATA_DIR holds the corpora: manifest.json (each source's licence and class), topic/train, spam/train,
# language/flores, boilerplate. OUT_DIR is models/default when left out; build again afterwards, the
# bundle is compiled into the binary. Only sources of class open or unknown are trained on; manifest.json
# alone decides. The same data gives the same bytes. With models/default, tests/fixtures/topic_slice.counts
# is written too: counts of some features of one table, which a test fits again.
set -euo pipefail

data=${1:?usage: scripts/train-default.sh DATA_DIR [OUT_DIR]}
root=$(cd "$(dirname "$0")/.." && pwd)
out=${2:-$root/models/default}
glotsift=${GLOTSIFT:-$root/target/release/glotsift}
[ -x "$glotsift" ] || cargo build --release --manifest-path "$root/Cargo.toml"

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
sources=(--sources "$data/manifest.json" --classes open,unknown)

# Templates of comment forms, cookie banners and the like: hashes only.
"$glotsift" train --task boilerplate --base none --name default --out "$stage/1" "$data/boilerplate/boilerplate.jsonl.gz"
# 205 language and script pairs: sentences of all, articles of those that have them. The files named first
# count where a language has more text than is looked at.
"$glotsift" train --task language --base "$stage/1" --name default --out "$stage/2" \
    "${sources[@]}" --source-name sib-200 "$data/language/flores/train.jsonl.gz" "$data/topic/train"
# Seventeen IPTC topics, one table per language.
"$glotsift" train --task topic --labels iptc --base "$stage/2" --name default --out "$stage/3" \
    "${sources[@]}" "$data"/topic/train
# Spam, with real news as ham in every language. exais_sms calls greetings and quotations spam.
"$glotsift" train --task spam --base "$stage/3" --name default --out "$stage/4" \
    "${sources[@]}" --leave-out exais_sms --ham "$data/topic/train" -- "$data"/spam/train

mkdir -p "$out"
cp "$stage"/4/* "$out"/

# Lingala is small and has two sources; a table knows nothing of the others, so its own file counts alike.
if [ "$out" = "$root/models/default" ]; then
    "$glotsift" train --task topic --labels iptc --base "$stage/2" --name slice --out "$stage/slice" \
        "${sources[@]}" --save-fit "$stage/lin.counts" "$data/topic/train/lin.jsonl.gz"
    cargo run --release --quiet --manifest-path "$root/Cargo.toml" --example weights_slice -- \
        "$stage/4" topic "$stage/lin.counts" lin 300 "$root/tests/fixtures/topic_slice.counts"
fi
ls -l "$out"
