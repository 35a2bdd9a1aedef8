"""The table of goals of speed, each with what is reached. Called by scripts/speed.sh."""

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import peers

GLOTSIFT, WIRE, BENCH = (os.environ[name] for name in ("GLOTSIFT", "WIRE", "BENCH"))
ROOT = Path(__file__).resolve().parent.parent
PARTS = ["wire", "pipeline", "peers", "training", "size"]
# Benchmarks in several scripts and lengths; about so many rows of each file.
COMPARED = {"topic": ["ag_news", "bhtc-v2", "ilur-hy", "thucnews-10"], "spam": ["enron1", "sms_spam", "turkish_sms"]}
LIMIT = 1500
# Times as fast as a peer, at equal or better accuracy.
FASTER = {"fastText": 10, "complement NB": 40}
TRAINING_FASTER = 20
TRAINING_ROWS = 4000
BINARY_BEYOND_MODEL = 15e6
PAGE = """# Goals of speed

Written by `scripts/speed.sh DATA_DIR`: CPU time as ratios within one run, the least of the rounds. Where the time goes is in
[performance](performance.md).
"""


class Page:
    def __init__(self):
        # By heading, in the order they are written.
        self.parts, self.lines = {}, []

    def part(self, title):
        self.parts[title] = self.lines = []

    def say(self, *lines):
        self.lines += lines

    def heading(self):
        self.say("| goal | reached | bar | |", "| --- | ---: | ---: | --- |")

    def row(self, goal, reached, bar, met):
        self.say(f"| {goal} | {reached} | {bar} | {'pass' if met else 'short'} |")

    def text(self, before=""):
        """The page; parts that were not made again are as they were."""
        former = re.split(r"^## (.+)\n", before, flags=re.MULTILINE)[1:]
        parts = dict(zip(former[::2], (part.strip() for part in former[1::2])))
        parts |= {title: "\n".join(lines) for title, lines in self.parts.items()}
        body = "\n\n".join(f"## {title}\n\n{part}" for title, part in parts.items())
        met, missed = (len(re.findall(rf"\| {verdict} \|$", body, re.MULTILINE)) for verdict in ("pass", "short"))
        return f"{PAGE}\nOn {os.cpu_count()} CPUs ({platform.machine()}): {met} pass, {missed} short.\n\n{body}\n"


def printed(*command):
    # A bar that is missed is told by the status; the table says which.
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout


def single(texts, answer):
    """Microseconds of CPU per text, the least of three rounds, asked one by one."""
    least = float("inf")
    for _ in range(3):
        begun = time.process_time()
        for text in texts:
            answer(text)
        least = min(least, time.process_time() - begun)
    return least * 1e6 / len(texts)


def fasttext_single(train, test):
    model, names = peers.fasttext_model(train)
    texts = [peers.words(row["text"]) + "\n" for row in test]
    right = sum(peers.fasttext_label(model, names, text) == row["label"] for text, row in zip(texts, test))
    return single(texts, lambda text: model.f.predict(text, 1, 0.0, "strict")), right / len(test)


def sklearn_single(train, test):
    from sklearn.naive_bayes import ComplementNB

    features = peers.sklearn_vectorizer()
    bayes = ComplementNB(alpha=0.3)
    bayes.fit(features.transform([row["text"] for row in train]), [row["label"] for row in train])
    # Its product takes the transpose: together in memory in that order, or every call copies all weights.
    bayes.feature_log_prob_ = bayes.feature_log_prob_.copy(order="F")
    some = [row["text"] for row in test[:: max(1, len(test) // 200)]]
    guessed = bayes.predict(features.transform([row["text"] for row in test]))
    right = sum(g == row["label"] for g, row in zip(guessed, test))
    return single(some, lambda text: bayes.predict(features.transform([text]))), right / len(test)


def ours_single(task, train, test):
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: f"{folder}/{name}.jsonl" for name in ("train", "test")}
        peers.write_rows(paths["train"], train)
        peers.write_rows(paths["test"], test)
        command = [GLOTSIFT, "train", "--task", task, *peers.RECIPE, "--out", f"{folder}/model", paths["train"]]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        command = [f"{BENCH}/scoring", f"{folder}/model", task, paths["test"]]
        result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return result["microseconds"], result["accuracy"]


def beside_peers(page, data):
    page.part("One text of one task, beside others")
    page.say(
        "Features and scores alone, the language known, each trained on the benchmark's own train file: CPU time of one",
        f"text, and accuracy; about {LIMIT:,} rows of each file. fastText has its text split into words before;",
        "scikit-learn's weights lie together in memory.",
        "",
        "| benchmark | glotsift µs | accuracy | " + " | ".join(f"{peer} µs | accuracy | times" for peer in FASTER) + " |",
        "| --- | ---: | ---: |" + " ---: | ---: | ---: |" * len(FASTER),
    )
    run = {"fastText": ("fasttext", fasttext_single), "complement NB": ("sklearn", sklearn_single)}
    times = {peer: [] for peer in FASTER}
    for task, names in COMPARED.items():
        for name in names:
            folder = data / "bench" / task / name
            train, test = (peers.rows_of(folder / f"{part}.jsonl.gz", LIMIT) for part in ("train", "test"))
            took, accuracy = ours_single(task, train, test)
            cells = [f"{task}, {name}", f"{took:.0f}", f"{accuracy:.3f}"]
            for peer, (module, ask) in run.items():
                if not peers.available(module):
                    print(f"SKIPPED: {peer}, its package is not installed", file=sys.stderr)
                    cells += ["–", "–", "–"]
                    continue
                theirs, right = ask(train, test)
                times[peer].append((theirs / took, accuracy, right))
                cells += [f"{theirs:.0f}", f"{right:.3f}", f"{theirs / took:.1f}"]
            page.say("| " + " | ".join(cells) + " |")
            print("|", " | ".join(cells), "|", file=sys.stderr)
    page.say("")
    page.heading()
    for peer, ratios in times.items():
        if ratios:
            mean = sum(ratio for ratio, _, _ in ratios) / len(ratios)
            ahead = sum(ours for _, ours, _ in ratios) >= sum(theirs for _, _, theirs in ratios)
            said = f"{mean:.1f} times as fast, mean accuracy {'ahead' if ahead else 'behind'}"
            page.row(f"one text, against {peer}", said, f"≥ {FASTER[peer]} times", ahead and mean >= FASTER[peer])


def training(page, data):
    page.part("Training")
    if not peers.available("sklearn"):
        print("SKIPPED: training, scikit-learn is not installed", file=sys.stderr)
        return
    from sklearn.naive_bayes import ComplementNB

    rows = peers.rows_of(data / "topic/train/eng.jsonl.gz", TRAINING_ROWS)
    with tempfile.TemporaryDirectory() as folder:
        peers.write_rows(f"{folder}/train.jsonl", rows)
        command = [GLOTSIFT, "train", "--task", "topic", *peers.RECIPE, "--save-counts", f"{folder}/counts"]
        command += ["--out", f"{folder}/model", f"{folder}/train.jsonl"]
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    ours = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    begun = time.process_time()
    counts = peers.sklearn_vectorizer().transform([row["text"] for row in rows])
    ComplementNB(alpha=0.3).fit(counts, [row["label"] for row in rows])
    theirs = time.process_time() - begun
    page.say(
        f"{len(rows):,} English documents, n-grams of 1 to 5 characters, words and bigrams: scikit-learn's HashingVectorizer",
        f"and ComplementNB {len(rows) / theirs:,.0f} documents per second of CPU; glotsift {len(rows) / ours:,.0f}, counted once",
        "(`--save-counts`), with finding the noise of every document, reading, calibration and writing the bundle.",
        "",
    )
    page.heading()
    ratio = theirs / ours
    page.row("documents per second of CPU, against scikit-learn", f"{ratio:.1f} times", f"≥ {TRAINING_FASTER}", ratio >= TRAINING_FASTER)
    page.row("CPUs busy while training, of two", f"{ours / wall:.2f}", "≥ 1.5", ours / wall >= 1.5)


def size(page):
    page.part("Size")
    page.heading()
    model = sum(path.stat().st_size for path in (ROOT / "models/default").iterdir())
    binary = Path(GLOTSIFT).stat().st_size
    beyond = binary - model
    said = f"{beyond / 1e6:.1f} MB ({binary / 1e6:.1f} with a model of {model / 1e6:.1f})"
    page.row("binary beyond the model inside", said, f"≤ {BINARY_BEYOND_MODEL / 1e6:.0f} MB", beyond <= BINARY_BEYOND_MODEL)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--page", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="no texts of 300 KB and more")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, comma-separated")
    args = parser.parse_args()
    only = args.only.split(",")
    if odd := [part for part in only if part not in PARTS]:
        parser.error(f"--only {odd[0]}: expected some of {', '.join(PARTS)}")
    page = Page()
    if "wire" in only:
        page.part("Beside an empty answer")
        page.say(printed(WIRE).strip())
    if "pipeline" in only:
        page.part("Beside whatlang::detect")
        page.say(printed(f"{BENCH}/pipeline", *(["--quick"] if args.quick else [])).strip())
    if "peers" in only:
        beside_peers(page, args.data)
    if "training" in only:
        training(page, args.data)
    if "size" in only:
        size(page)
    args.page.write_text(page.text("" if only == PARTS else args.page.read_text()))
    print(page.text())


if __name__ == "__main__":
    main()
