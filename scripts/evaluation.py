"""Writes docs/evaluation.md from runs of `glotsift eval`. Called by scripts/evaluation.sh."""

import argparse
import json
import math
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict

from scores import MISLABELLED, SENTENCES, SHORT, evaluate, rows, share

UNSEEN_ENGLISH = ("ag_news", "bbc-2225", "reuters-r52")
# Languages with fewer test documents say too little of their calibration.
LANGUAGE_ROWS = 200
RESAMPLES = 300
BINS = 15
PADDING_WORDS = 200
# What a wrong verdict costs, in spams let through: a message called spam, as in training.
HAM_COST = 3


def predictions(stage, task, *arguments):
    """Rows of `--predictions`, and the scores beside them."""
    file = stage / "predictions.jsonl"
    scores = evaluate(task, "--predictions", file, *arguments)
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines], scores


def write(path, documents):
    with path.open("w", encoding="utf-8") as out:
        for document in documents:
            out.write(json.dumps(document, ensure_ascii=False) + "\n")
    return path


def code(row):
    return "cmn" if row["lang"] == "zho" else row["lang"]


def right(row):
    return row["gold"] == row["predicted"]


def calibration_error(said):
    """Of pairs of a probability and whether it was right, in 15 equal bins (Naeini et al. 2015)."""
    bins = defaultdict(lambda: [0, 0.0, 0])
    for probability, was_right in said:
        cell = bins[min(int(math.ceil(probability * BINS)), BINS)]
        cell[0] += 1
        cell[1] += probability
        cell[2] += was_right
    return sum(abs(p - n) for _, p, n in bins.values()) / max(len(said), 1)


def interval(said, dice):
    """95 % bootstrap interval of the calibration error."""
    errors = sorted(calibration_error(dice.choices(said, k=len(said))) for _ in range(RESAMPLES))
    return errors[int(0.025 * RESAMPLES)], errors[int(0.975 * RESAMPLES)]


def wilson(hits, n, z=1.96):
    """Lower bound of the 95 % interval of a share (Wilson 1927)."""
    p = hits / n
    centre = p + z * z / (2 * n)
    return (centre - z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)


def table(head, body):
    kinds = ["---" if i == 0 else "---:" for i in range(len(head))]
    lines = ["| " + " | ".join(map(str, cells)) + " |" for cells in [head, kinds, *body]]
    return ["", *lines, ""]


def topic(stage, data, dice, names):
    said, scores = predictions(stage, "topic", data / "topic/test")
    pairs = [(row["probability"], right(row)) for row in said]
    ranked = sorted(pairs, reverse=True)
    curve = []
    for coverage in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0):
        kept = ranked[: int(len(ranked) * coverage)]
        curve.append([f"{coverage:.2f}", share(kept[-1][0]), share(sum(r for _, r in kept) / len(kept))])
    by_language = defaultdict(list)
    for row, pair in zip(said, pairs):
        by_language[row["lang"]].append(pair)
    body = []
    for language, of_it in sorted(by_language.items()):
        if len(of_it) >= LANGUAGE_ROWS:
            low, high = interval(of_it, dice)
            accuracy = sum(r for _, r in of_it) / len(of_it)
            body.append([language, len(of_it), share(accuracy), share(calibration_error(of_it)), f"{low:.3f}–{high:.3f}"])
    unseen = [pair for row, pair in zip(said, pairs) if row["source"] in UNSEEN_ENGLISH]
    low, high = interval(unseen, dice)
    wrong = [row for row in said if not right(row)]
    strayed = sum(row["detected"] != code(row) for row in wrong)
    strayed_all = sum(row["detected"] != code(row) for row in said)
    confused = Counter((row["gold"], row["predicted"]) for row in wrong)
    mutual = Counter()
    for (gold, guess), n in confused.items():
        mutual[tuple(sorted((gold, guess or "none")))] += n
    return [
        "## Topic",
        "",
        f"`topic/test`, {len(said):,} documents, language detected. The surest part of the documents and how often the best "
        "label is right in it; the default threshold is that of the card.",
        *table(["coverage", "threshold", "right"], curve),
        f"Calibration error over all {share(scores['ece'])}; on English publishers never trained on "
        f"({', '.join(UNSEEN_ENGLISH)}, {len(unseen):,} documents) {share(calibration_error(unseen))} "
        f"({low:.3f}–{high:.3f}). By language, with the 95 % interval of {RESAMPLES} bootstrap resamples; the error of a "
        "sample is above that of the whole, the more so the smaller it is.",
        *table(["language", "n", "accuracy", "calibration error", "95 % interval"], body),
        f"What the mistakes are: {len(wrong):,} in all. The detected language is another than the data's (before any folding) "
        f"in {strayed / len(wrong):.3f} of them, against {strayed_all / len(said):.3f} of all documents. Topics taken for each other most often:",
        *table(
            ["topics", "mistakes", "share"],
            [
                [" / ".join(names.get(label, label) for label in pair), n, share(n / len(wrong))]
                for pair, n in mutual.most_common(12)
            ],
        ),
    ]


def sib_documents(data):
    """The official test split in IPTC labels; how many are training text of the topics; what has no such label."""
    labels, trained = {}, set()
    for path in sorted((data / "topic/train").glob("*.jsonl.gz")):
        for row in rows(path):
            if row["source"] == SENTENCES:
                labels[row["orig"]] = row["label"]
                trained.add(row["text"])
    documents, met, unmapped = [], 0, Counter()
    for row in rows(data / "language/flores/test.jsonl.gz"):
        if row["topic"] not in labels:
            unmapped[row["topic"]] += 1
            continue
        met += row["text"] in trained
        documents.append({"text": row["text"], "label": labels[row["topic"]], "lang": row["lang"], "script": row["script"]})
    return documents, met, unmapped


def official_sib(stage, data, protocol):
    documents, met, unmapped = sib_documents(data)
    file = write(stage / "sib.jsonl", documents)
    detected = evaluate("topic", file)
    given = evaluate("topic", "--given-language", file)
    return [
        "## The test split of SIB-200",
        "",
        f"{len(documents):,} sentences of 205 languages, none of them training text of the topics ({met} are). The topics of SIB-200 are "
        "a part of IPTC's seventeen; the model may also answer with any of the others. "
        f"Left out: {', '.join(f'{name} ({n:,} sentences)' for name, n in unmapped.items()) or 'none'}, no topic of IPTC.",
        *table(
            ["", "accuracy"],
            [
                ["as shipped, language detected", share(detected["accuracy"])],
                ["as shipped, language given", share(given["accuracy"])],
                ["the protocol of SIB-200 ([sib-200.md](sib-200.md)): its train split, unpruned, seven labels, given", protocol],
            ],
        ),
    ]


def words_of(text):
    return re.findall(r"\w+", text)


def articles(data, usable):
    """Held-out news as ham, and words of each language's held-out texts to pad with."""
    news, bags = [], defaultdict(list)
    for path in sorted((data / "topic/test").glob("*.jsonl.gz")):
        for row in rows(path):
            if row["source"] in usable and row["source"] != SENTENCES:
                news.append({"text": row["text"], "label": "ham", "lang": row["lang"], "source": row["source"]})
            if row["source"] in usable and len(bags[row["lang"]]) < 20_000:
                bags[row["lang"]] += row["text"].split()
    return news, bags


def spam(stage, data, dice):
    manifest = json.loads((data / "manifest.json").read_text("utf-8"))
    usable = {name for name, source in manifest.items() if source["class"] in ("open", "unknown")}
    messages = [
        row
        for path in sorted((data / "spam/test").glob("*.jsonl.gz"))
        for row in rows(path)
        if row["source"] in usable and row["source"] not in MISLABELLED
    ]
    news, bags = articles(data, usable)
    said, scores = predictions(stage, "spam", write(stage / "spam.jsonl", messages))

    def p_spam(row):
        return row["probability"] if row["predicted"] == "spam" else 1 - row["probability"]

    ham = [p_spam(row) for row in said if row["gold"] == "ham"]
    spams = [p_spam(row) for row in said if row["gold"] == "spam"]
    curve = []
    for low, high in ((0.5, 0.5), (0.79, 0.79), (0.5, 0.9), (0.3, 0.95), (0.2, 0.98), (0.1, 0.99)):
        unsure = sum(low <= p < high for p in ham + spams) / len(said)
        let_in = sum(p < low for p in spams) / len(spams)
        lost = sum(p >= high for p in ham) / len(ham)
        curve.append([f"{low} / {high}", share(unsure), f"{lost:.4f}", share(let_in), f"{HAM_COST * lost + let_in:.4f}"])
    caught = [m for m, row in zip(messages, said) if m["label"] == "spam"]
    robust = [["as they are", share(scores["spam_recall"])]]
    padded, salad, sentence = [], [], []
    for message in caught:
        bag = bags.get(message["lang"])
        if not bag:
            continue
        sentence.append(message)
        start = dice.randrange(max(1, len(bag) - PADDING_WORDS))
        padded.append({**message, "text": message["text"] + "\n" + " ".join(bag[start : start + PADDING_WORDS])})
        salad.append({**message, "text": message["text"] + "\n" + " ".join(dice.choices(bag, k=PADDING_WORDS))})
    for name, documents in (
        ("those whose language has news to pad with", sentence),
        (f"{PADDING_WORDS} words of news after them", padded),
        (f"{PADDING_WORDS} words of news at random after them", salad),
    ):
        scored = evaluate("spam", write(stage / "padded.jsonl", documents))
        robust.append([f"{name} ({len(documents):,})", share(scored["spam_recall"])])
    told, _ = predictions(stage, "spam", write(stage / "news.jsonl", news))
    by_language = defaultdict(lambda: [0, 0])
    for row in told:
        by_language[row["lang"]][0] += 1
        by_language[row["lang"]][1] += row["decided"] == "ham"
    errors = [
        [language, n, n - kept, share(kept / n), share(wilson(kept, n))]
        for language, (n, kept) in sorted(by_language.items())
        if n > kept or n >= LANGUAGE_ROWS
    ]
    sure = defaultdict(list)
    for row in said:
        sure[row["lang"]].append((row["probability"], right(row)))
    everything = [pair for of_it in sure.values() for pair in of_it]
    calibration = []
    for language, of_it in [*sorted(sure.items()), ("all", everything)]:
        if len(of_it) >= LANGUAGE_ROWS:
            low, high = interval(of_it, dice)
            calibration.append([language, len(of_it), share(calibration_error(of_it)), f"{low:.3f}–{high:.3f}"])
    by_source = defaultdict(lambda: [0, 0, 0, 0])
    for row in said:
        cell = by_source[row["source"]]
        at = 0 if row["gold"] == "ham" else 2
        cell[at] += 1
        cell[at + 1] += row["decided"] == row["gold"]
    sources = [
        [source, h, share(kept / h if h else None), s, share(hit / s if s else None)]
        for source, (h, kept, s, hit) in sorted(by_source.items())
    ]
    return [
        "## Spam",
        "",
        f"{len(said):,} messages of the sources trained on. Where the thresholds could lie, HAM below the first, SPAM from the second on, "
        f"UNSURE between; the cost is that of spam let through plus {HAM_COST} times the ham called spam. Thresholds are of the "
        "probability; each language's own shift is in it.",
        *table(["HAM / SPAM", "unsure", "ham called SPAM", "spam called HAM", "cost"], curve),
        "Spam recall when good words are appended:",
        *table(["", "spam recall"], robust),
        f"Real news as ham, {len(told):,} documents, by language (all with an error, and those of {LANGUAGE_ROWS} documents or more):",
        *table(["language", "n", "not called HAM", "ham recall", "95 % lower bound"], errors),
        f"Calibration error by language, with the 95 % interval of {RESAMPLES} bootstrap resamples:",
        *table(["language", "n", "calibration error", "95 % interval"], calibration),
        "By source, the mistakes:",
        *table(["source", "ham", "ham recall", "spam", "spam recall"], sources),
    ]


def thin(stage, data):
    documents = []
    for row in rows(data / "topic/test/eng.jsonl.gz"):
        documents.append({**row, "text": " ".join(row["text"].split()[:12])})
    said, scores = predictions(stage, "topic", write(stage / "thin.jsonl", documents))
    decided = [row for row in said if row["decided"]]
    unknown = [{"text": " ".join("".join(random.Random(i * 31 + k).choices("bcdfgklmnprstvz", k=7)) for k in range(14)), "label": "sport", "lang": "und"} for i in range(300)]
    strange, _ = predictions(stage, "topic", write(stage / "strange.jsonl", unknown))
    return [
        "## Thin evidence",
        "",
        f"The first twelve words of {len(said):,} English documents: {share(scores['accuracy'])} right, calibration error {share(scores['ece'])}; "
        f"decided on {share(scores['coverage'])}, of those right {share(sum(map(right, decided)) / max(len(decided), 1))}. "
        f"Of 300 texts of random consonants {sum(row['decided'] is None for row in strange)} get no topic, "
        f"{sum(row['detected'] in ('und', 'zxx') for row in strange)} no language.",
        "",
    ]


def language(stage, data):
    lines = ["## Language: what the mistakes are", ""]
    said, scores = predictions(stage, "language", data / "language/flores/test.jsonl.gz")

    wrong = Counter(
        (f"{code(row)}_{row['script']}", f"{row['detected']}_{row['detected_script']}")
        for row in said
        if code(row) != row["detected"] or row["script"] != row["detected_script"]
    )
    n = sum(wrong.values())
    body = [[f"{gold} as {guess}", k, share(k / n)] for (gold, guess), k in wrong.most_common(12)]
    lines += [
        f"FLORES test, strict: {n:,} of {len(said):,} sentences ({share(scores['accuracy_strict'])} right). Most are between varieties that "
        "share a written standard:",
        *table(["", "sentences", "share"], body),
    ]
    for name in SHORT:
        said, scores = predictions(stage, "language", data / f"language/short/{name}.jsonl.gz")
        wrong = Counter((row["gold"], row["predicted"]) for row in said if not right(row))
        shown = ", ".join(f"{gold} as {guess} {k}" for (gold, guess), k in wrong.most_common(14))
        lines += [f"{name.replace('-', ' ').capitalize()}, {sum(wrong.values()):,} of {len(said):,} wrong: {shown}.", ""]
    return lines


def noise(data):
    scores = evaluate("noise", data / "noise/public.jsonl.gz")
    body = [[kind, of_it["n"], share(of_it["recall"]), share(of_it["recall_overlap"])] for kind, of_it in sorted(scores["per_kind"].items())]
    alarms = ", ".join(f"{kind} {share(value)}" for kind, value in scores["false_alarm"].items())
    return [
        "## Noise by kind",
        "",
        f"Documents without gold spans that get one, by class: {alarms}.",
        *table(["kind", "spans", "recall (half the span)", "recall (any overlap)"], body),
    ]


def sized(stage, data, number, sib):
    """Trains topics with `--bytes number` and scores them: a row of the table of sizes."""
    model, file = [], pathlib.Path(__file__).parent.parent / "models/default/topic.safetensors"
    if number != "shipped":
        out = stage / "sized"
        command = [os.environ["GLOTSIFT"], "train", "--task", "topic", "--labels", "iptc", "--base", "default", "--bytes", number]
        command += ["--sources", data / "manifest.json", "--classes", "open,unknown", "--out", out, data / "topic/train"]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        model, file = ["--model", out], out / "topic.safetensors"
    scores = evaluate("topic", "--group-by", "source", *model, data / "topic/test")
    manifest = json.loads((data / "manifest.json").read_text("utf-8"))
    groups = scores["groups"]
    news = [g for s, g in groups.items() if manifest.get(s, {}).get("class") in ("open", "unknown") and s != SENTENCES]
    accuracy = sum(g["n"] * g["accuracy"] for g in news) / sum(g["n"] for g in news)
    unseen = sum(groups[s]["accuracy"] for s in UNSEEN_ENGLISH) / len(UNSEEN_ENGLISH)
    given = evaluate("topic", "--given-language", *model, sib)["accuracy"]
    shares = [accuracy, groups[SENTENCES]["accuracy"], unseen, scores["macro_f1"], given]
    return [number, f"{file.stat().st_size / 2**20:.1f}", *map(share, shares)]


def size(stage, data, sizes, protocol, results):
    documents, _, _ = sib_documents(data)
    sib = write(stage / "sib.jsonl", documents)
    body = []
    known = [json.loads(line) for line in results.read_text("utf-8").splitlines()] if results and results.exists() else []
    for number in [*sizes, "shipped"]:
        row = next((row for row in known if row[0] == number), None) or sized(stage, data, number, sib)
        body.append(row)
        print(json.dumps(row), file=sys.stderr)
        if results and row not in known:
            with results.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")
    given = {row[0]: float(row[-1]) for row in body}
    gap = []
    if "0" in given:
        detected = evaluate("topic", sib)["accuracy"]
        parts = [given["shipped"] - detected, given["0"] - given["shipped"], float(protocol) - given["0"]]
        gap = [
            f"Where the gap between {share(detected)} (as shipped, language detected) and {protocol} (the protocol of SIB-200) on that test split "
            f"comes from: detection of the language {parts[0]:.3f}, pruning {parts[1]:.3f}, recipe (17 labels for 7, articles beside sentences, "
            f"one calibration; geography, a topic of the protocol alone) {parts[2]:.3f}.",
            "",
        ]
    return [
        "## Size of the topic tables",
        "",
        "Trained with `--bytes` as given (0: nothing is left out but what says nothing new), language detected; unseen is the mean over "
        f"{', '.join(UNSEEN_ENGLISH)}; the last column has the test split of SIB-200 with the language given.",
        *table(["--bytes", "MiB", "news", "sentences", "unseen", "macro F1", "SIB test, given"], body),
        *gap,
    ]


def write_page(page, sections):
    page.write_text("\n".join(line for section in sections for line in section).rstrip() + "\n", "utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=pathlib.Path, required=True)
    parser.add_argument("--size", help="sizes of the topic tables to train and measure")
    parser.add_argument("--only-size", action="store_true", help="leave all but the sizes as the page has it")
    parser.add_argument("--results", type=pathlib.Path, help="rows of sizes, kept; what is there is not trained again")
    parser.add_argument("data", type=pathlib.Path)
    args = parser.parse_args()
    if not (args.data / "manifest.json").is_file():
        parser.error(f"{args.data} has no manifest.json")
    if args.only_size and not args.size:
        parser.error("--only-size needs --size")
    dice = random.Random(20)
    before = args.page.read_text("utf-8") if args.page.exists() else ""
    kept = re.search(r"## Size of the topic tables\n.*\Z", before, re.S)
    protocol = re.search(r"\*\*([.\d]+)\*\*", args.page.with_name("sib-200.md").read_text("utf-8")).group(1)
    manifest = json.loads((args.page.parent.parent / "models/default/manifest.json").read_text("utf-8"))
    names = {label["id"]: label["name"] for label in manifest["tasks"]["topic"]["labels"]}
    with tempfile.TemporaryDirectory() as folder:
        stage = pathlib.Path(folder)
        if args.only_size:
            head = before.partition("## Size of the topic tables")[0].rstrip().split("\n")
            write_page(args.page, [[*head, ""], size(stage, args.data, args.size.split(","), protocol, args.results)])
            return
        sections = [
            topic(stage, args.data, dice, names),
            official_sib(stage, args.data, protocol),
            spam(stage, args.data, dice),
            thin(stage, args.data),
            language(stage, args.data),
            noise(args.data),
        ]
        if args.size:
            sections.append(size(stage, args.data, args.size.split(","), protocol, args.results))
        elif kept:
            sections.append([kept.group(0).rstrip(), ""])
        version = evaluate("topic", args.data / "topic/test/swh.jsonl.gz")["model_version"]
    head = [
        "# A closer look",
        "",
        f"Written by `scripts/evaluation.sh DATA_DIR` from runs of `glotsift eval` on held-out public data, model `{version}`.",
        "The figures beside those of the README: how sure the answers are, and which are wrong.",
        "",
    ]
    write_page(args.page, [head, *sections])


if __name__ == "__main__":
    main()
