"""Writes docs/bars.md: each goal for predictions, what is reached, and what shows it. Called by scripts/bars.sh."""

import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict

from evaluation import UNSEEN_ENGLISH, articles, calibration_error, interval, predictions, right, sib_documents, wilson, words_of, write
from peers import FOLD
from scores import MISLABELLED, SENTENCES, SHORT, comment_spam, evaluate, rows, share

ROOT = pathlib.Path(__file__).parent.parent
# Sets with fewer documents say too little of a source or a language.
LEAST_ROWS = 200
MIXED = 200
PADDING_WORDS = 200
MIB = 2**20


class Page:
    def __init__(self):
        self.lines, self.kinds = [], Counter()

    def part(self, title):
        self.lines += ["", f"## {title}", "", "| goal | bar | reached | | shown by |", "| --- | --- | --- | --- | --- |"]
        print(title, file=sys.stderr)

    def bar(self, goal, bar, reached, met, shown_by):
        """`met` None: nothing measures it; "": shown beside the goals, not one of them."""
        kind = met if met == "" else {True: "met", False: "short", None: "not measured"}[met]
        self.kinds[kind] += 1
        self.lines.append(f"| {goal} | {bar} | {reached} | {kind} | {shown_by} |")
        print("  ", kind, goal, bar, reached, file=sys.stderr)

    def least(self, goal, value, bar, shown_by, extra=""):
        self.bar(goal, f"≥ {bar}", f"{value:.4f}{extra}", value >= bar, shown_by)

    def most(self, goal, value, bar, shown_by, extra=""):
        self.bar(goal, f"≤ {bar}", f"{value:.4f}{extra}", value <= bar, shown_by)


def classified(stage, texts):
    """The JSON replies for texts, in order."""
    folder = stage / "texts"
    folder.mkdir(exist_ok=True)
    for i, text in enumerate(texts):
        (folder / f"{i:06}.txt").write_bytes(text.encode())
    names = [str(folder / f"{i:06}.txt") for i in range(len(texts))]
    replies = []
    for at in range(0, len(names), 500):
        command = [os.environ["GLOTSIFT"], "classify", "--format", "jsonl", *names[at : at + 500]]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        replies += map(json.loads, done.stdout.decode().splitlines())
    for name in names:
        os.unlink(name)
    return replies


def example(name, *arguments):
    command = [pathlib.Path(os.environ["EXAMPLES"]) / name, *arguments]
    return subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE).stdout.decode()


def pair(pattern, text):
    """Two whole numbers of a line of an example, as a share and as they are."""
    hits, n = map(int, re.search(pattern, text).groups())
    return hits / n, f" ({hits:,} of {n:,})"


def same_language(a, b):
    return FOLD.get(a, a) == FOLD.get(b, b)


def language(page, stage, data):
    page.part("Language")
    peers = (ROOT / "docs/peers.md").read_text("utf-8")
    for name, least in zip(SHORT, (0.77, 0.92, 0.985)):
        cells = re.search(rf"\| {name} \| glotsift \| ([.\d]+) \| [.\d]+ \| [.\d]+ \| ([.\d]+) \|", peers).groups()
        accuracy, times = map(float, cells)
        theirs = re.search(rf"\| {name} \| lingua, high accuracy \| ([.\d]+)", peers).group(1)
        title = name.replace("-", " ")
        page.least(f"{title}, macro accuracy over the languages whatlang and lingua share", accuracy, least, "`scripts/peers.sh`", f" (lingua {theirs})")
        page.bar(f"{title}, CPU against lingua's", "≤ 1/30", f"1/{times:.0f}", times >= 30, "`scripts/peers.sh`")
    test = data / "language/flores/test.jsonl.gz"
    flores = evaluate("language", test)
    page.least("FLORES test, folded", flores["accuracy"], 0.99, "`eval --task language`")
    page.least("FLORES test, strict", flores["accuracy_strict"], 0.975, "`eval --task language`")
    said = example("language_check", ROOT / "models/default", test)
    shown = "`cargo run --example language_check`"
    page.least("no language (letters, syllables, base64, hex, code, digits, other scripts): `und` or `zxx`", *with_bar(pair(r"no language: (\d+) of (\d+)", said), 0.95, shown))
    page.most("FLORES test sentences lost to it", *with_bar(pair(r"sentences lost: (\d+) of (\d+)", said), 0.01, shown))
    for name, goal in (("lines", "on two lines"), ("one line", "on one line")):
        found = pair(rf"two languages, {name}: boundary within a word in (\d+) of (\d+)", said)
        page.least(f"two languages {goal}: both spans, boundary within one word", *with_bar(found, 0.9, shown))
    short = {name: evaluate("language", data / f"language/short/{name}.jsonl.gz") for name in SHORT}
    page.most("calibration error, sentences", short["sentences"]["ece"], 0.03, "`scripts/scores.sh`")
    page.most("calibration error, word pairs", short["word-pairs"]["ece"], 0.05, "`scripts/scores.sh`")
    page.most("calibration error, single words", short["single-words"]["ece"], 0.05, "`scripts/scores.sh`")
    page.least("`reliable` on word pairs: right", short["word-pairs"]["accuracy_covered"], 0.99, "`scripts/scores.sh`")
    page.least("`reliable` on word pairs: coverage", short["word-pairs"]["coverage"], 0.7, "`scripts/scores.sh`")
    halves(page, stage, test)


def with_bar(found, bar, shown):
    return found[0], bar, shown, found[1]


def halves(page, stage, test):
    """Three English sentences and three Russian ones, either first."""
    texts = {"eng": [], "rus": []}
    for row in rows(test):
        if row["lang"] in texts and row["script"] in ("Latn", "Cyrl"):
            texts[row["lang"]].append(row["text"].strip())
    dice, documents = random.Random(7), []
    for i in range(MIXED):
        order = ["eng", "rus"] if i % 2 else ["rus", "eng"]
        parts = [(code, " ".join(dice.sample(texts[code], 3))) for code in order]
        while min(len(text) for _, text in parts) < 0.8 * max(len(text) for _, text in parts):
            parts = [(code, " ".join(dice.sample(texts[code], 3))) for code in order]
        documents.append(parts)
    hits = 0
    for parts, reply in zip(documents, classified(stage, ["\n\n".join(text for _, text in parts) for parts in documents])):
        both, at = reply["language"]["languageCode"] == "mul", 0
        for code, text in parts:
            end = at + len(text.encode())
            covered = sum(
                max(0, min(end, int(span["end"])) - max(at, int(span.get("start", 0))))
                for span in reply["languageSpans"]
                if span["languageCode"] == code
            )
            both, at = both and covered > 0.9 * (end - at), end + 2
        hits += both
    goal = "half English, half Russian (FLORES test): `mul` and both spans"
    page.bar(goal, "each", f"{hits} of {MIXED}", hits == MIXED, "`scripts/bars.sh`; `tests/it/mixed.rs`")


def noise(page, stage, data):
    page.part("Noise")
    gold = data / "noise/public.jsonl.gz"
    scores, shown = evaluate("noise", gold), "`eval --task noise`"
    page.least("F1, half of the union", scores["f1"], 0.9, shown, " (tuned on this set)")
    page.least("F1, any overlap", scores["f1_overlap"], 0.93, shown, " (tuned on this set)")
    page.most("clean documents with an alarm", scores["false_alarm"]["clean"], 0.02, shown)
    page.most("naturally mixed documents with an alarm", scores["false_alarm"]["natural"], 0.05, shown)
    documents = list(rows(gold))
    script, language, long = Counter(), Counter(), 4
    for document, reply in zip(documents, classified(stage, [row["text"] for row in documents])):
        raw = document["text"].encode()
        guesses = [(int(s.get("start", 0)), int(s["end"]), s) for s in reply["noise"] if "FOREIGN" in s["kind"]]
        for span in document["spans"]:
            if not span["kind"].startswith("foreign"):
                continue
            a, b = span["start"], span["end"]
            best = max(guesses, key=lambda g: min(b, g[1]) - max(a, g[0]), default=None)
            if best is None or min(b, best[1]) - max(a, best[0]) < (max(b, best[1]) - min(a, best[0])) / 2:
                continue
            said = best[2].get("scriptCode", "")
            # Japanese and Korean are written in several
            script[said == span["script"] or {said, span["script"]} <= {"Jpan", "Hira", "Kana", "Hani"} or {said, span["script"]} <= {"Kore", "Hang"}] += 1
            if sum(c.isalpha() for c in raw[a:b].decode()) >= long:
                language[same_language(best[2].get("languageCode", ""), span["lang"])] += 1
    page.least("spans found of foreign text: script right", script[True] / script.total(), 0.99, "`scripts/bars.sh`", f" ({script.total():,} spans)")
    page.least("the same of four letters and more: language right", language[True] / language.total(), 0.92, "`scripts/bars.sh`", f" ({language.total():,} spans)")
    kinds = scores["per_kind"]
    for kind, name in (("foreign_label:same_script", "labels"), ("foreign_word:same_script", "words")):
        page.least(f"foreign {name} in the host's own script, recall", kinds[kind]["recall"], 0.5, shown, f" of {kinds[kind]['n']}")
    both = [kinds[kind] for kind in ("foreign_label:same_script", "foreign_word:same_script")]
    found = sum(k["n"] * k["recall"] for k in both) / sum(k["n"] for k in both)
    page.least("both together", found, 0.5, shown, f" of {sum(k['n'] for k in both)}")
    lines = ROOT / "tests/fixtures/boilerplate_unseen.tsv"
    said = example("boilerplate_lines", "score", lines, data / "language/flores/test.jsonl.gz", *sorted((data / "topic/test").glob("*.jsonl.gz")))
    shown = "`cargo run --example boilerplate_lines`"
    for half in ("held out", "tuning"):
        found = pair(rf"{half} all: (\d+) of (\d+)", said)
        page.least(f"our own boilerplate lines in 22 languages, in no data, {half} half: recall", *with_bar(found, 0.7, shown))
    by_language = re.findall(r"held out language (\w+): (\d+) of (\d+)", said)
    low = [f"{code} {hits} of {n}" for code, hits, n in by_language if int(hits) < 0.7 * int(n)]
    page.bar("of the held-out half by language, under 0.7 (6 lines each)", "", ", ".join(low) or "none", "", shown)
    hit, n = (sum(int(x) for x in column) for column in zip(*re.findall(r": (\d+) of (\d+) sentences hit", said)))
    page.most("sentences of FLORES and news hit by line statistics", hit / n, 0.005, shown, f" ({hit} of {n:,})")
    seed = data.parent / "cases/seed-article.txt"
    if seed.is_file():
        text = seed.read_text("utf-8")
        label = text.encode()[86:96].decode()
        others = [label, "اخبار", "ورزشی", "фотография", "спорт", "Πολιτική", "ספורט", "विज्ञान", "스포츠", "経済", "ข่าวสาร"]
        replies = classified(stage, [text.replace(label, other, 1) for other in others])
        hits = 0
        for other, reply in zip(others, replies):
            start, end = 86, 86 + len(other.encode())
            kinds = {s["kind"] for s in reply["noise"] if int(s.get("start", 0)) <= start and int(s["end"]) >= end or int(s.get("start", 0)) == start}
            hits += any("FOREIGN" in kind for kind in kinds) and reply["language"]["languageCode"] == "eng"
        page.least("the seed article's label, and ten others in its place: foreign, article English", hits / len(others), 1, "`scripts/bars.sh`", f" ({hits} of {len(others)})")


def macro_f1(said):
    support, answered, hits = Counter(), Counter(), Counter()
    for row in said:
        support[row["gold"]] += 1
        answered[row["predicted"]] += 1
        hits[row["gold"]] += right(row)
    return sum(2 * hits[label] / (n + answered[label]) for label, n in support.items()) / len(support), len(support)


def topic(page, stage, data, usable, dice):
    page.part("Topic")
    said, scores = predictions(stage, "topic", data / "topic/test")
    by_source = defaultdict(list)
    for row in said:
        by_source[row["source"]].append(row)
    accuracy = {source: sum(map(right, of_it)) / len(of_it) for source, of_it in by_source.items()}
    large = [source for source in UNSEEN_ENGLISH if len(by_source[source]) >= LEAST_ROWS]
    every = ", ".join(f"{source} {accuracy[source]:.3f} of {len(by_source[source])}" for source in UNSEEN_ENGLISH)
    shown = "`scripts/scores.sh`"
    page.least(f"English sources never trained on: mean of those of {LEAST_ROWS} documents or more ({', '.join(large)})", sum(accuracy[s] for s in large) / len(large), 0.82, shown)
    page.least("the same, the small one too", sum(accuracy[s] for s in UNSEEN_ENGLISH) / len(UNSEEN_ENGLISH), 0.82, shown, f" ({every})")
    arabic(page, stage, data, usable)
    news = [row for row in said if row["source"] in usable and row["source"] != SENTENCES]
    page.least("held-out news of the sources trained on, accuracy", sum(map(right, news)) / len(news), 0.87, shown, f" of {len(news):,}")
    f1, labels = macro_f1(news)
    page.least(f"the same, macro F1 over {labels} labels", f1, 0.81, "`scripts/bars.sh`")
    given, _ = predictions(stage, "topic", "--given-language", data / "topic/test")
    sib = [row for row in given if row["source"] == SENTENCES]
    page.least("held-out SIB sentences, language given", sum(map(right, sib)) / len(sib), 0.76, "`scripts/bars.sh`", f" of {len(sib):,}")
    documents, _, _ = sib_documents(data)
    official = evaluate("topic", write(stage / "sib.jsonl", documents))["accuracy"]
    page.least("SIB-200 test split, language detected", official, 0.75, "`scripts/evaluation.sh`, which splits the gap")
    protocol = float(re.search(r"\*\*([.\d]+)\*\*", (ROOT / "docs/sib-200.md").read_text("utf-8")).group(1))
    page.least("SIB-200 protocol, mean over 205 languages", protocol, 0.78, "`scripts/sib200.sh`")
    peers = (ROOT / "docs/peers.md").read_text("utf-8")
    for number, name in ((15, "topic"), (20, "spam")):
        cells = re.search(rf"\*\*mean of {number}\*\* \| \| (.*) \|", peers).group(1).split(" | ")
        first = [float(cell.split()[0]) for cell in cells]
        page.bar(f"{name} benches, mean accuracy against complement NB, multinomial NB, fastText", "ahead of each", f"{first[0]:.3f} against {', '.join(f'{x:.3f}' for x in first[1:])}", first[0] > max(first[1:]), "`scripts/peers.sh`")
    page.part("Calibration and abstention")
    page.most("topic, calibration error", scores["ece"], 0.02, "`scripts/evaluation.sh`")
    unseen = [(row["probability"], right(row)) for source in UNSEEN_ENGLISH for row in by_source[source]]
    low, high = interval(unseen, dice)
    page.most("topic, English sources never trained on", calibration_error(unseen), 0.06, "`scripts/evaluation.sh`", f" ({low:.3f}–{high:.3f})")
    ranked = sorted(((row["probability"], right(row)) for row in said), reverse=True)
    kept = ranked[: int(len(ranked) * 0.8)]
    page.least("topic accuracy at 80 % coverage", sum(r for _, r in kept) / len(kept), 0.93, "`scripts/evaluation.sh`")
    ranked = sorted(((row["probability"], right(row)) for row in news), reverse=True)
    kept = ranked[: int(len(ranked) * 0.8)]
    page.bar("the same of news alone", "", f"{sum(r for _, r in kept) / len(kept):.4f}", "", "`scripts/bars.sh`")
    thin(page, stage, data)


def arabic(page, stage, data, usable):
    """No Arabic source is held out of the corpora, so each is left out in turn."""
    train, test = (data / f"topic/{split}/arb.jsonl.gz" for split in ("train", "test"))
    by_source = defaultdict(list)
    for row in rows(test):
        if row["source"] in usable and row["source"] != SENTENCES:
            by_source[row["source"]].append(row)
    reached = []
    for source, documents in sorted(by_source.items()):
        if len(documents) < LEAST_ROWS:
            continue
        command = [os.environ["GLOTSIFT"], "train", "--task", "topic", "--labels", "iptc", "--base", "default", "--leave-out", source]
        command += ["--sources", data / "manifest.json", "--classes", "open,unknown", "--out", stage / "arabic", train]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        scored = evaluate("topic", "--model", stage / "arabic", write(stage / "arabic.jsonl", documents))
        reached.append((source, scored["accuracy"], len(documents)))
    mean = sum(accuracy for _, accuracy, _ in reached) / len(reached)
    every = ", ".join(f"{source} {accuracy:.3f} of {n}" for source, accuracy, n in reached)
    page.least("Arabic, each source left out of training in turn, mean", mean, 0.74, "`scripts/bars.sh`", f" ({every})")


def thin(page, stage, data):
    dice = random.Random(31)
    nonsense = [" ".join("".join(dice.choices("bcdfgklmnprstvz", k=7)) for _ in range(12)) for _ in range(300)]
    starts, ends = ("b", "d", "k", "l", "m", "n", "r", "s", "t", "v"), ("a", "e", "i", "o", "u", "an", "or")
    invented = [" ".join("".join(dice.choice(starts) + dice.choice(ends) for _ in range(3)) for _ in range(12)) for _ in range(300)]
    english = list(rows(data / "topic/test/eng.jsonl.gz"))[::20]
    tops = [row["text"] for row in english]
    for texts, name in (
        (nonsense, "twelve words of random consonants"),
        (invented, "twelve words of random syllables"),
        ([" ".join(text.split()[:2]) for text in tops], "the first two words of English documents"),
        ([" ".join(text.split()[:12]) for text in tops], "the first twelve words of English documents"),
    ):
        replies = classified(stage, texts)
        why = Counter(reply["topicDecision"].get("reason", "REASON_UNSPECIFIED").removeprefix("REASON_").replace("UNSPECIFIED", "decided") for reply in replies)
        counts = ", ".join(f"{reason} {n}" for reason, n in why.most_common())
        unsure = 1 - why["decided"] / len(texts)
        page.bar(name, "abstains, with its reason", f"{unsure:.3f} abstain: {counts}", unsure >= 0.95, "`scripts/bars.sh`")
    # The loop ended with the first twelve words: are those that it decides of worth what it says they are?
    decided = [(reply["topics"][0], row["label"]) for reply, row in zip(replies, english) if reply["topicDecision"]["outcome"] == "OUTCOME_DECIDED"]
    right = sum(top["name"] == label for top, label in decided) / max(len(decided), 1)
    said = sum(top["probability"] for top, _ in decided) / max(len(decided), 1)
    page.bar("of those that are decided: right, and the mean probability said", "", f"{right:.3f}, {said:.3f}", "", "`scripts/bars.sh`")


def spam(page, stage, data, usable, dice):
    page.part("Spam")
    native, apart, others = [], [], []
    for path in sorted((data / "spam/test").glob("*.jsonl.gz")):
        for row in rows(path):
            if row["source"] in MISLABELLED:
                others.append(row)
            elif row["source"] not in usable:
                apart.append(row)
            elif row["kind"] == "native":
                native.append(row)
    scored = evaluate("spam", write(stage / "native.jsonl", native))
    n = Counter(row["label"] for row in native)
    shown = "`scripts/bars.sh`"
    page.least("native, unrestricted: ham recall", scored["ham_recall"], 0.995, shown, f" of {n['ham']:,}")
    page.least("native, unrestricted: spam recall", scored["spam_recall"], 0.9, shown, f" of {n['spam']:,}")
    restricted = evaluate("spam", write(stage / "apart.jsonl", apart))
    page.least("restricted sources, never trained on: ham recall", restricted["ham_recall"], 0.97, "`scripts/scores.sh`", f" (spam recall {restricted['spam_recall']:.3f})")
    labels = evaluate("spam", write(stage / "others.jsonl", others))
    page.bar("exais_sms, apart", "", f"ham {labels['ham_recall']:.3f}, spam {labels['spam_recall']:.3f}", "", "`scripts/scores.sh`")
    news, bags = articles(data, usable)
    told, _ = predictions(stage, "spam", write(stage / "news.jsonl", news))
    kept, total = Counter(), Counter(row["lang"] for row in told)
    for row in told:
        kept[row["lang"]] += row["decided"] == "ham"
    page.least("real news: ham recall", kept.total() / total.total(), 0.998, "`scripts/scores.sh`", f" of {total.total():,}")
    low = {code: (kept[code], n) for code, n in total.items() if wilson(kept[code], n) < 0.98}
    wrong = {code: counts for code, counts in low.items() if counts[0] < counts[1]}
    few = ", ".join(f"{code} {n - k} of {n} wrong" for code, (k, n) in sorted(wrong.items()))
    page.bar("no language whose 95 % lower bound is under 0.98", "none", f"{few or 'none'}; {len(low) - len(wrong)} more are too small for the bound, without a mistake", not wrong, "`scripts/evaluation.sh`")
    generated = comment_spam(stage)
    page.least("generated comment and SEO spam, recall", generated["spam_recall"], 0.9, "`scripts/scores.sh`", f" (readers' comments ham {generated['ham_recall']:.3f})")
    other = comment_spam(stage, "other")
    page.least("the same in another author's words, who had seen neither ours nor the features", other["spam_recall"], 0.9, "`scripts/scores.sh`", f" (readers' comments ham {other['ham_recall']:.3f})")
    command = [sys.executable, ROOT / "scripts/comment_spam.py", "--half", "test", "--count", "200"]
    with (stage / "comments.jsonl").open("wb") as out:
        subprocess.run(list(map(str, command)), stdout=out, check=True)
    caught = defaultdict(list)
    for row in predictions(stage, "spam", stage / "comments.jsonl")[0]:
        if row["gold"] == "spam":
            caught[row["lang"]].append(row["decided"] == "spam")
    recall = {code: sum(hits) / len(hits) for code, hits in caught.items()}
    parts = ", ".join(f"{code} {value:.2f}" for code, value in sorted(recall.items(), key=lambda pair: pair[1]))
    page.bar("the same by language", "≥ 0.9", parts, min(recall.values()) >= 0.9, shown)
    sentence, padded, salad = [], [], []
    for message in (row for row in native if row["label"] == "spam" and bags.get(row["lang"])):
        bag = bags[message["lang"]]
        start = dice.randrange(max(1, len(bag) - PADDING_WORDS))
        sentence.append(message)
        padded.append({**message, "text": message["text"] + "\n" + " ".join(bag[start : start + PADDING_WORDS])})
        salad.append({**message, "text": message["text"] + "\n" + " ".join(dice.choices(bag, k=PADDING_WORDS))})
    bare, after, strewn = (evaluate("spam", write(stage / "padded.jsonl", texts))["spam_recall"] for texts in (sentence, padded, salad))
    page.most(f"{PADDING_WORDS} words of news after native spam: recall lost", bare - after, 0.1, "`scripts/bars.sh`; all spam: `scripts/evaluation.sh`", f" ({bare:.3f} to {after:.3f})")
    page.most("the same words at random: recall lost", bare - strewn, 0.1, "`scripts/bars.sh`; all spam: `scripts/evaluation.sh`", f" ({bare:.3f} to {strewn:.3f})")
    page.bar("a band of UNSURE on a stated cost, as a coverage curve", "shown", f"shown; the shipped band holds {scored['unsure']:.3f} of native messages", True, "`scripts/evaluation.sh`")
    every = [*native]
    for path in sorted((data / "spam/test").glob("*.jsonl.gz")):
        every += [row for row in rows(path) if row["source"] in usable and row["source"] not in MISLABELLED and row["kind"] != "native"]
    said, scores = predictions(stage, "spam", write(stage / "every.jsonl", every))
    page.most("spam, calibration error", scores["ece"], 0.02, "`scripts/evaluation.sh`, by language too")
    page.bar("spam, English sources never trained on: calibration error", "≤ 0.06", "no English spam source is held out", None, "")


def size(page):
    page.part("Size")
    files = {path.name: path.stat().st_size / MIB for path in sorted((ROOT / "models/default").iterdir())}
    page.most("the bundle, MiB", sum(files.values()), 48, "`models/default`")
    page.most("its largest file, MiB", max(files.values()), 32, "`models/default`", f" ({max(files, key=files.get)})")
    curve = (ROOT / "docs/evaluation.md").read_text("utf-8").partition("## Size of the topic tables")[2]
    sizes = re.findall(r"^\| (\d+|shipped) \| ([.\d]+)", curve, re.M)
    page.bar("a curve of accuracy against size", "committed", ", ".join(f"{mib} MiB" for _, mib in sizes), len(sizes) > 2, "`scripts/evaluation.sh --size`")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=pathlib.Path, required=True)
    parser.add_argument("data", type=pathlib.Path)
    args = parser.parse_args()
    if not (args.data / "manifest.json").is_file():
        parser.error(f"{args.data} has no manifest.json")
    manifest = json.loads((args.data / "manifest.json").read_text("utf-8"))
    usable = {name for name, source in manifest.items() if source["class"] in ("open", "unknown")}
    page, dice = Page(), random.Random(20)
    with tempfile.TemporaryDirectory() as folder:
        stage = pathlib.Path(folder)
        version = evaluate("topic", args.data / "topic/test/swh.jsonl.gz")["model_version"]
        language(page, stage, args.data.resolve())
        noise(page, stage, args.data.resolve())
        topic(page, stage, args.data.resolve(), usable, dice)
        spam(page, stage, args.data.resolve(), usable, dice)
    size(page)
    head = [
        "# Goals and figures",
        "",
        f"Written by `scripts/bars.sh DATA_DIR` for model `{version}`: {page.kinds['met']} met, {page.kinds['short']} short, "
        f"{page.kinds['not measured']} not measured. All on public data, as served unless said; what the last column names",
        "prints the figure. Why the short ones are short is in the [lab book](lab-book.md) and [a closer look](evaluation.md).",
    ]
    args.page.write_text("\n".join([*head, *page.lines]) + "\n", "utf-8")


if __name__ == "__main__":
    main()
