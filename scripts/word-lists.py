#!/usr/bin/env python3
"""Writes the word lists of the `wordfreq` package as training text for the language task.

    pip download --no-deps wordfreq==3.1.1 && pip install msgpack
    scripts/word-lists.py wordfreq-3.1.1-py3-none-any.whl words.jsonl

The lists (CC BY-SA 4.0) give words by frequency, the most frequent first. A word stands in the output about
frequency^0.3 times, so that a rare word counts for more than it does in running text. One line holds a few
words: {"text", "lang", "script", "source"}.
"""
import gzip
import io
import json
import sys
import zipfile

import msgpack

# The package's code, then the language and script pairs its list stands for. Croatian and Bosnian share a
# list, Persian and Dari too: what they have in common must not tell them apart.
LISTS = {
    "ar": ["arb_Arab"], "bg": ["bul_Cyrl"], "bn": ["ben_Beng"], "ca": ["cat_Latn"], "cs": ["ces_Latn"],
    "da": ["dan_Latn"], "de": ["deu_Latn"], "el": ["ell_Grek"], "en": ["eng_Latn"], "es": ["spa_Latn"],
    "fa": ["pes_Arab", "prs_Arab"], "fi": ["fin_Latn"], "fil": ["tgl_Latn"], "fr": ["fra_Latn"],
    "he": ["heb_Hebr"], "hi": ["hin_Deva"], "hu": ["hun_Latn"], "id": ["ind_Latn"], "is": ["isl_Latn"],
    "it": ["ita_Latn"], "lt": ["lit_Latn"], "lv": ["lvs_Latn"], "mk": ["mkd_Cyrl"], "ms": ["zsm_Latn"],
    "nb": ["nob_Latn"], "nl": ["nld_Latn"], "pl": ["pol_Latn"], "pt": ["por_Latn"], "ro": ["ron_Latn"],
    "ru": ["rus_Cyrl"], "sh": ["hrv_Latn", "bos_Latn"], "sk": ["slk_Latn"], "sl": ["slv_Latn"],
    "sv": ["swe_Latn"], "ta": ["tam_Taml"], "tr": ["tur_Latn"], "uk": ["ukr_Cyrl"], "ur": ["urd_Arab"],
    "vi": ["vie_Latn"],
}
# The Serbian list is the Croatian one in Cyrillic letters: what is written both ways.
CYRILLIC = {
    "dž": "џ", "lj": "љ", "nj": "њ", "a": "а", "b": "б", "v": "в", "g": "г", "d": "д", "đ": "ђ", "e": "е",
    "ž": "ж", "z": "з", "i": "и", "j": "ј", "k": "к", "l": "л", "m": "м", "n": "н", "o": "о", "p": "п",
    "r": "р", "s": "с", "t": "т", "ć": "ћ", "u": "у", "f": "ф", "h": "х", "c": "ц", "č": "ч", "š": "ш",
}
WORDS = 30_000
EXPONENT = 0.3
RAREST = 1e-6
PER_LINE = 20


def words(package, code):
    """(word, times), the most frequent first."""
    with package.open(f"wordfreq/data/small_{code}.msgpack.gz") as packed:
        bands = msgpack.load(io.BytesIO(gzip.decompress(packed.read())), raw=False)[1:]
    taken = 0
    for centibels, band in enumerate(bands):
        times = max(1, round((10 ** (-centibels / 100) / RAREST) ** EXPONENT))
        for word in band:
            if taken >= WORDS:
                return
            taken += 1
            if not any(c.isdigit() or c in ".,'’-_/" for c in word):
                yield word, times


def lines(listed):
    """Every word `times` times, in lines in which it stands once."""
    listed = list(listed)
    most = max((times for _, times in listed), default=0)
    for turn in range(most):
        rest = [word for word, times in listed if times > turn]
        for at in range(0, len(rest), PER_LINE):
            yield " ".join(rest[at : at + PER_LINE])


def in_cyrillic(text):
    """None for a text with letters the alphabet lacks, as of foreign names."""
    for latin, cyrillic in CYRILLIC.items():
        text = text.replace(latin, cyrillic)
    return None if any("a" <= c <= "z" for c in text) else text


def rows(package):
    for code, pairs in LISTS.items():
        listed = list(words(package, code))
        for pair in pairs:
            for text in lines(listed):
                yield pair, text
        if code == "sh":
            for text in lines([(word, n) for word, n in ((in_cyrillic(w), n) for w, n in listed) if word]):
                yield "srp_Cyrl", text


def main(package, out):
    with zipfile.ZipFile(package) as package, open(out, "w", encoding="utf-8") as out:
        for pair, text in rows(package):
            lang, script = pair.split("_")
            row = {"text": text, "lang": lang, "script": script, "source": "wordfreq"}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
