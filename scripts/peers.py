"""Side by side on public benchmarks: glotsift, scikit-learn's naive Bayes, fastText, CLD2, whatlang, lingua, whichlang.

Called by scripts/peers.sh. Everybody trains on a benchmark's own train file and nothing else, and answers
every text of its test file. Nothing is tuned to a benchmark: each has one setting for all. One result is
one line of --results, and what is there is not computed again.
"""

import argparse
import collections
import contextlib
import gzip
import importlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GLOTSIFT = os.environ["GLOTSIFT"]
# One source leaves nothing to balance, and the models are not shipped.
RECIPE = ["--balance", "0", "--bytes", "0"]


def rows_of(path, limit):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    # evenly, as files may be in order of their labels
    step = max(1, -(-len(rows) // limit)) if limit else 1
    return rows[::step]


def write_rows(path, rows):
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def per_label(gold, guessed):
    """Recall, precision and F1 of each label that is in the gold."""
    right = collections.Counter(g for g, p in zip(gold, guessed) if g == p)
    support, answered = collections.Counter(gold), collections.Counter(guessed)
    scores = {}
    for label, n in support.items():
        recall = right[label] / n
        precision = right[label] / answered[label] if answered[label] else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        scores[label] = {"recall": recall, "precision": precision, "f1": f1}
    return scores


def figures(task, accuracy, labels):
    result = {"accuracy": accuracy, "macro_f1": sum(s["f1"] for s in labels.values()) / len(labels)}
    if task == "spam":
        result |= {"ham_recall": labels["ham"]["recall"], "spam_recall": labels["spam"]["recall"]}
        result["f1_spam"] = labels["spam"]["f1"]
    return result


def glotsift(task, train, test):
    """The top label counts, decided or not: the others have no such choice."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: f"{folder}/{name}.jsonl" for name in ("train", "test")}
        write_rows(paths["train"], train)
        write_rows(paths["test"], test)
        model = f"{folder}/model"
        command = [GLOTSIFT, "train", "--task", task, "--base", "default", *RECIPE, "--out", model, paths["train"]]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        command = [GLOTSIFT, "eval", "--task", task, "--model", model, "--format", "json", "--given-language"]
        report = json.loads(subprocess.run([*command, paths["test"]], check=True, stdout=subprocess.PIPE).stdout)
    labels = report["per_label"]
    if task == "spam":
        labels = {label.lower(): scores for label, scores in labels.items()}
    return figures(task, report["accuracy"], labels)


def sklearn_vectorizer():
    """Character and word n-grams, hashed."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.pipeline import make_union

    hashing = {"alternate_sign": False, "norm": None, "n_features": 1 << 19}
    return make_union(
        HashingVectorizer(analyzer="char_wb", ngram_range=(1, 5), **hashing),
        HashingVectorizer(analyzer="word", ngram_range=(1, 2), **hashing),
    )


def sklearn_features(train, test, kept=[]):
    """Both kinds of Bayes take the same."""
    if not kept or kept[0] is not train:
        features = sklearn_vectorizer()
        kept[:] = [train, *(features.transform([r["text"] for r in rows]) for rows in (train, test))]
    return kept[1:]


def sklearn_bayes(kind):
    def run(task, train, test):
        from sklearn.naive_bayes import ComplementNB, MultinomialNB

        x, y = sklearn_features(train, test)
        bayes = {"complement": ComplementNB, "multinomial": MultinomialNB}[kind](alpha=0.3)
        bayes.fit(x, [r["label"] for r in train])
        return of_guesses(task, test, [str(guess) for guess in bayes.predict(y)])

    return run


def of_guesses(task, test, guessed):
    gold = [r["label"] for r in test]
    accuracy = sum(g == p for g, p in zip(gold, guessed)) / len(gold)
    return figures(task, accuracy, per_label(gold, guessed))


def words(text):
    """Words for fastText; Chinese and Japanese have no spaces, their characters are the words."""
    cjk = (0x3040, 0x30FF), (0x3400, 0x9FFF)
    spaced = (f" {c} " if any(a <= ord(c) <= b for a, b in cjk) else c for c in text.lower())
    return " ".join("".join(spaced).split())


def fasttext_model(train):
    """A model and the names of its labels by number."""
    import fasttext

    names = sorted({r["label"] for r in train})
    number = {name: i for i, name in enumerate(names)}
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/train.txt"
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(f"__label__{number[r['label']]} {words(r['text'])}\n" for r in train)
        # few and long documents need many epochs; one thread, so that a run can be repeated
        settings = {"epoch": 75, "lr": 1.0, "minn": 3, "maxn": 5, "dim": 50, "bucket": 1 << 19}
        return fasttext.train_supervised(path, **settings, thread=1, seed=1, verbose=0), names


def fasttext_label(model, names, text):
    # the wrapper's own predict does not work with numpy 2
    answer = model.f.predict(text, 1, 0.0, "strict")
    return names[int(answer[0][1].removeprefix("__label__"))] if answer else names[0]


def fasttext_supervised(task, train, test):
    model, names = fasttext_model(train)
    return of_guesses(task, test, [fasttext_label(model, names, words(row["text"]) + "\n") for row in test])


# CLD2 answers ISO 639-1 where there is one; the data and glotsift have ISO 639-3, macrolanguages folded.
TWO_TO_THREE = """af afr am amh ar ara as asm ay ayr az aze ba bak be bel bg bul bn ben bo bod bs bos ca cat co cos
cs ces cy cym da dan de deu dz dzo el ell en eng eo epo es spa et est eu eus fa pes fi fin fj fij fo fao fr fra ga
gle gd gla gl glg gn grn gu guj ha hau hi hin hr hrv ht hat hu hun hy hye ia ina id ind ig ibo is isl it ita iw heb
ja jpn jw jav ka kat kk kaz km khm kn kan ko kor ks kas ku kmr ky kir la lat lb ltz lg lug ln lin lo lao lt lit lv lav
mg plt mi mri mk mkd ml mal mn mon mr mar ms msa mt mlt my mya ne nep nl nld nn nno no nob ny nya oc oci om gaz or ori
pa pan pl pol ps pbt pt por qu quy rn run ro ron ru rus rw kin sa san sd snd sg sag si sin sk slk sl slv sm smo sn sna
so som sq sqi sr srp ss ssw st sot su sun sv swe sw swa ta tam te tel tg tgk th tha ti tir tk tuk tl tgl tn tsn to ton
tr tur ts tso tt tat ug uig uk ukr ur urd uz uzb vi vie wo wol xh xho yi yid yo yor zh zho zh-Hant zho zu zul"""
FOLDED = {
    "ara": "arb acm acq aeb ajp apc ars ary arz", "aze": "azj azb", "zho": "cmn yue", "lav": "lvs", "mon": "khk",
    "sqi": "als", "swa": "swh", "nep": "npi", "ori": "ory", "uzb": "uzn", "yid": "ydd", "msa": "zsm", "aka": "twi",
    "est": "ekk", "pes": "fas prs", "nob": "nor",
}  # fmt: skip
FOLD = {code: macro for macro, codes in FOLDED.items() for code in codes.split()}


def cld2_languages():
    codes = TWO_TO_THREE.split()
    return dict(zip(codes[::2], (FOLD.get(code, code) for code in codes[1::2])))


def language(name, path, limit):
    """CLD2 and glotsift on one list of texts; both over the languages that CLD2 knows."""
    import pycld2

    codes = cld2_languages()
    rows = rows_of(path, limit)
    known = [row for row in rows if FOLD.get(row["lang"], row["lang"]) in set(codes.values())]
    by_language = collections.defaultdict(list)
    begun = time.process_time()
    for row in known:
        try:
            code = pycld2.detect(row["text"], bestEffort=True)[2][0][1]
        except pycld2.error:
            code = "un"
        gold = FOLD.get(row["lang"], row["lang"])
        by_language[gold].append(codes.get(code, code) == gold)
    cpu = (time.process_time() - begun) / max(1, len(known))
    macro = sum(sum(right) / len(right) for right in by_language.values()) / len(by_language)
    yield "cld2", {"macro_accuracy": macro, "languages": len(by_language), "microseconds": cpu * 1e6}
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in known)
        file.flush()
        command = [GLOTSIFT, "eval", "--task", "language", "--group-by", "language", "--format", "json", file.name]
        report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    by_language = collections.defaultdict(lambda: [0.0, 0])
    for code, group in report["groups"].items():
        total = by_language[FOLD.get(code, code)]
        total[0] += group["accuracy"] * group["n"]
        total[1] += group["n"]
    macro = sum(right / n for right, n in by_language.values()) / len(by_language)
    yield "glotsift", {"macro_accuracy": macro, "languages": len(by_language)}


def noise(path, limit):
    """Pieces in another language than the text's first, as CLD2 cuts them, against what glotsift finds."""
    import pycld2

    rows = rows_of(path, limit)
    count, clean, alarms = collections.Counter(), 0, 0
    for row in rows:
        try:
            _, _, languages, chunks = pycld2.detect(row["text"], returnVectors=True, bestEffort=True)
            guesses = [(at, at + n) for at, n, _, code in chunks if code not in ("un", languages[0][1])]
        except pycld2.error:
            guesses = []
        gold = [(span["start"], span["end"]) for span in row["spans"]]
        clean += not gold
        alarms += not gold and bool(guesses)
        count["gold"] += len(gold)
        count["guessed"] += len(guesses)
        count["found"] += sum(any(same(a, b) for b in guesses) for a in gold)
        count["right"] += sum(any(same(a, b) for b in gold) for a in guesses)
    recall, precision = count["found"] / max(1, count["gold"]), count["right"] / max(1, count["guessed"])
    f1 = 2 * recall * precision / (recall + precision) if recall + precision else 0.0
    figures = {"precision": precision, "recall": recall, "f1": f1, "false_alarm_clean": alarms / max(1, clean)}
    yield "cld2", {**figures, "n": len(rows)}
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        file.flush()
        command = [GLOTSIFT, "eval", "--task", "noise", "--format", "json", file.name]
        report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    yield "glotsift", {key: report[key] for key in figures} | {"n": len(rows)}


def same(a, b):
    """Spans of bytes whose intersection is at least half of their union, as `glotsift eval` has it."""
    return 2 * max(0, min(a[1], b[1]) - max(a[0], b[0])) >= max(a[1], b[1]) - min(a[0], b[0])


def detectors(data, limit):
    """The table of the package in bench/, which measures accuracy and CPU time of the Rust detectors."""
    bench = Path(__file__).resolve().parent.parent / "bench"
    command = ["cargo", "run", "--release", "--quiet", "--bin", "glotsift-bench", "--", str(data.resolve())]
    command += ["--limit", str(limit)] if limit else []
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=bench, text=True).stdout


PEERS = {
    "glotsift": (None, glotsift),
    "complement NB": ("sklearn", sklearn_bayes("complement")),
    "multinomial NB": ("sklearn", sklearn_bayes("multinomial")),
    "fastText": ("fasttext", fasttext_supervised),
}
PAGE = """# Beside others

Written by `scripts/peers.sh DATA_DIR --write docs/peers.md`. Everybody trains on a benchmark's own train file and
answers its test file, in its own labels; one setting for all benchmarks, none tuned to one. glotsift trains with
`glotsift train --balance 0 --bytes 0` (one source, no bound of size); its top label counts, as the others have no
threshold. scikit-learn's ComplementNB and MultinomialNB (alpha .3) have hashed n-grams of 1 to 5 characters, words and
bigrams, like ours; fastText supervised 75 epochs with subwords of 3 to 5 characters. Languages and noise are those of the
shipped model; CLD2 is asked with `bestEffort`. Of the last table `glotsift` is the detector alone, as the others are.
"""
COLUMNS = {"topic": ["accuracy", "macro_f1"], "spam": ["accuracy", "ham_recall", "spam_recall", "f1_spam"]}


def available(module):
    if module is None:
        return True
    try:
        importlib.import_module(module)
        return True
    except ImportError:
        return False


def table(task, results, peers):
    """One column a peer and figure, one row a benchmark, the means of those that all have at the end."""
    names = sorted({name for kind, name, _ in results if kind == task})
    columns = COLUMNS[task]
    limits = {row["limit"] for key, row in results.items() if key[0] == task} - {0}
    bound = f"; about {max(limits):,} rows of each file" if limits else ""
    print(f"\n**{task}**: {', '.join(columns)}{bound}\n")
    print("| benchmark | test | " + " | ".join(peers) + " |")
    print("| --- | ---: |" + " --- |" * len(peers))
    sums, complete = {peer: [0.0] * len(columns) for peer in peers}, 0
    for name in names:
        row = {peer: results.get((task, name, peer)) for peer in peers}
        cells = [" ".join(f"{r[c]:.3f}" for c in columns) if r else "–" for r in row.values()]
        n = next(r["n"] for r in row.values() if r)
        print(f"| {name} | {n:,} | " + " | ".join(cells) + " |")
        if all(row.values()):
            complete += 1
            for peer, r in row.items():
                sums[peer] = [s + r[c] for s, c in zip(sums[peer], columns)]
    if complete:
        means = [" ".join(f"{s / complete:.3f}" for s in sums[peer]) for peer in peers]
        print(f"| **mean of {complete}** | | " + " | ".join(means) + " |")


def language_table(results):
    names = sorted({name for kind, name, _ in results if kind == "language"})
    if names:
        print("\n**language**: macro accuracy over the languages CLD2 knows\n")
        print("| texts | languages | glotsift | CLD2 |\n| --- | ---: | ---: | ---: |")
    for name in names:
        ours, theirs = (results.get(("language", name, peer)) for peer in ("glotsift", "cld2"))
        if ours and theirs:
            print(f"| {name} | {ours['languages']} | {ours['macro_accuracy']:.3f} | {theirs['macro_accuracy']:.3f} |")


def noise_table(results):
    columns = ["precision", "recall", "f1", "false_alarm_clean"]
    rows = {peer: results.get(("noise", "public", peer)) for peer in ("glotsift", "cld2")}
    if all(rows.values()):
        print(f"\n**noise**, {rows['cld2']['n']:,} documents: spans by overlap of half their union\n")
        print("| | " + " | ".join(columns) + " |\n| --- |" + " ---: |" * len(columns))
        for peer, row in rows.items():
            print(f"| {peer} | " + " | ".join(f"{row[c]:.3f}" for c in columns) + " |")


def compute(args, only, results, keep):
    """What is asked for and not in `results` yet; `keep` takes each result as it comes."""
    peers = [peer for peer, (module, _) in PEERS.items() if available(module)]
    for peer in PEERS.keys() - set(peers):
        print(f"SKIPPED: {peer}, its package is not installed", file=sys.stderr)
    for task in COLUMNS:
        for folder in sorted((args.data / "bench" / task).iterdir()):
            name = folder.name
            if only and not only & {task, name}:
                continue
            if not (folder / "train.jsonl.gz").exists():
                print(f"{name}: no train file, left out", file=sys.stderr)
                continue
            missing = [peer for peer in peers if (task, name, peer) not in results]
            if not missing:
                continue
            train, test = (rows_of(folder / f"{part}.jsonl.gz", args.limit) for part in ("train", "test"))
            for peer in missing:
                begun = time.monotonic()
                result = PEERS[peer][1](task, train, test) | {"n": len(test)}
                keep(task, name, peer, result)
                print(f"{name}: {peer} {result['accuracy']:.3f} in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    lists = {
        "FLORES test": "flores/test", "sentences": "short/sentences", "word pairs": "short/word-pairs",
        "single words": "short/single-words",
    }  # fmt: skip
    if not available("pycld2"):
        print("SKIPPED: CLD2, pycld2 is not installed", file=sys.stderr)
    else:
        for name, path in lists.items():
            if (only and not only & {"language", name}) or ("language", name, "glotsift") in results:
                continue
            for peer, result in language(name, args.data / "language" / f"{path}.jsonl.gz", args.limit):
                keep("language", name, peer, result)
        if (not only or "noise" in only) and ("noise", "public", "glotsift") not in results:
            for peer, result in noise(args.data / "noise/public.jsonl.gz", args.limit):
                keep("noise", "public", peer, result)
    if (not only or "detectors" in only) and ("detectors", "short", "all") not in results:
        keep("detectors", "short", "all", {"table": detectors(args.data, args.limit)})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    only = "benchmarks by name, comma-separated; topic, spam, language, noise or detectors for a kind"
    parser.add_argument("--only", default="", help=only)
    parser.add_argument("--limit", type=int, default=0, help="about so many rows of each file")
    parser.add_argument("--results", type=Path, help="file to add to; what is there is not computed again")
    parser.add_argument("--again", default="", help="peers to compute again though they are in --results")
    parser.add_argument("--tables", action="store_true", help="compute nothing, only show what is in --results")
    parser.add_argument("--write", type=Path, help="page to write the tables into")
    args = parser.parse_args()
    only, again = set(filter(None, args.only.split(","))), set(filter(None, args.again.split(",")))

    results = {}
    if args.results and args.results.exists():
        for line in args.results.read_text().splitlines():
            row = json.loads(line)
            if args.tables or (row["peer"] not in again and row["limit"] == args.limit):
                results[row["task"], row["benchmark"], row["peer"]] = row

    def keep(task, name, peer, result):
        row = {"task": task, "benchmark": name, "peer": peer, "limit": args.limit} | result
        results[task, name, peer] = row
        if args.results:
            with open(args.results, "a") as out:
                out.write(json.dumps(row) + "\n")

    if not args.tables:
        compute(args, only, results, keep)
    tables = io.StringIO()
    with contextlib.redirect_stdout(tables):
        for task in COLUMNS:
            if any(kind == task for kind, _, _ in results):
                table(task, results, [peer for peer in PEERS if any(key[::2] == (task, peer) for key in results)])
        language_table(results)
        noise_table(results)
        if ("detectors", "short", "all") in results:
            print("\n**detectors**: " + results["detectors", "short", "all"]["table"].strip())
    print(tables.getvalue(), end="")
    if args.write:
        args.write.write_text(PAGE + tables.getvalue())


if __name__ == "__main__":
    main()
