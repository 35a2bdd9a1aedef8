"""Trains and scores topic models by the SIB-200 protocol. Called by scripts/sib200.sh."""

import argparse
import gzip
import json
import os
import subprocess
import tempfile
from pathlib import Path

GLOTSIFT = os.environ["GLOTSIFT"]
# No pruning, as the models are measured and not shipped; one source leaves nothing to balance. Chosen on dev.
RECIPE = ["--bytes", "0", "--balance", "0"]


def pairs(source, target):
    """Copies a split with the language and script pair as the source of each row, to group by."""
    with gzip.open(source, "rt", encoding="utf-8") as lines, open(target, "w", encoding="utf-8") as out:
        for line in lines:
            row = json.loads(line)
            kept = {"text": row["text"], "label": row["topic"], "lang": row["lang"], "script": row["script"]}
            kept["source"] = f"{row['lang']}_{row['script']}"
            out.write(json.dumps(kept, ensure_ascii=False) + "\n")


def page(report, groups, command):
    mean = sum(g["accuracy"] for g in groups.values()) / len(groups)
    rows = [f"| {name} | {g['n']} | {g['accuracy']:.3f} | {g['macro_f1']:.3f} |" for name, g in sorted(groups.items())]
    order = sorted(groups.values(), key=lambda g: g["accuracy"])
    middle = order[len(order) // 2]["accuracy"]
    return "\n".join(
        [
            "# SIB-200",
            "",
            "Written by `scripts/sib200.sh DATA_DIR`. The protocol of SIB-200: seven topics of single sentences,",
            "trained on the train split, scored on the test split, the language given. One training run makes a",
            "table for each language, where close relatives that glotsift folds (Arabic and its dialects, say) and",
            "the scripts of a language share one. Nothing else is trained on, and this is not the shipped model.",
            "",
            f"`{command}`",
            "",
            f"Mean accuracy over {len(groups)} languages **{mean:.3f}** (median {middle:.3f}, lowest"
            f" {order[0]['accuracy']:.3f}, highest {order[-1]['accuracy']:.3f}); all {report['n']:,} sentences together"
            f" {report['accuracy']:.3f}, macro F1 {report['macro_f1']:.3f}.",
            "",
            "| language | sentences | accuracy | macro F1 |",
            "| --- | ---: | ---: | ---: |",
            *rows,
            "",
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", choices=["dev", "test"], default="test")
    parser.add_argument("--no-write", action="store_true", help="only print the mean")
    args, recipe = parser.parse_known_args()
    recipe = recipe or RECIPE
    flores = args.data / "language/flores"
    with tempfile.TemporaryDirectory() as folder:
        model, scored = f"{folder}/sib-200", f"{folder}/{args.split}.jsonl"
        fixed = ["--task", "topic", "--columns", "label=topic", *recipe]
        command = [GLOTSIFT, "train", *fixed, "--out", model, str(flores / "train.jsonl.gz")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        pairs(flores / f"{args.split}.jsonl.gz", scored)
        command = [GLOTSIFT, "eval", "--task", "topic", "--model", model, "--given-language"]
        command += ["--group-by", "source", "--format", "json", scored]
        report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    groups = report["groups"]
    mean = sum(g["accuracy"] for g in groups.values()) / len(groups)
    print(f"{args.split}, {' '.join(recipe)}: mean accuracy over {len(groups)} languages {mean:.4f}")
    if args.split == "test" and not args.no_write:
        args.out.parent.mkdir(exist_ok=True)
        args.out.write_text(page(report, groups, "glotsift train " + " ".join(fixed) + " train.jsonl.gz"))


if __name__ == "__main__":
    main()
