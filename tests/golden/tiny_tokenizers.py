"""Tiny CLIP BPE and T5 Unigram tokenizers, trained on a few sentences, in the real file formats.

The CLIP vocabulary has the order of the real one: 256 byte symbols, the same with "</w>", one entry
per merge, begin, end. So "!" is id 0 and the end token is the largest id, on which pad rules rely.
"""

import collections
import io
import json
import pathlib
import re

import sentencepiece
from transformers import CLIPTokenizer, T5TokenizerFast

SENTENCES = (
    "a red apple on a blue background",
    "two cats and three dogs under the green tree",
    "a yellow banana on the left and a purple grape on the right",
    "the big house above the small river, seen at night",
    "blurry, low quality, bad picture of a clock",
    "one heart, four stars and a happy face",
    "it's a photo of the moon; the sun isn't there",
    "Ships sail around the old lighthouse while birds fly over 7 hills",
    "an oil painting of a lion with a golden crown",
    "red green blue yellow purple orange white black pink brown",
    "A Big Cat! In 2024, 10 Dogs & 36 Kites; 5 (or 9) Zebras: WOW? \"Yes\" - 48%",
    "caf\u00e9, cr\u00e8me br\u00fbl\u00e9e and pi\u00f1ata",
)
MERGES = 64
T5_PIECES = 200
BEGIN, END = "<|startoftext|>", "<|endoftext|>"


def byte_alphabet():
    """The 256 printable stand-ins for bytes, in the order that byte-level BPE vocabularies use."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    shifted = [b for b in range(256) if b not in printable]
    table = {b: chr(b) for b in printable}
    table.update({b: chr(256 + i) for i, b in enumerate(shifted)})
    return table


def train_merges(count):
    """Plain BPE: the most frequent pair first, ties by spelling, so the result is deterministic."""
    alphabet = byte_alphabet()
    words = collections.Counter()
    for sentence in SENTENCES:
        for word in re.findall(r"'s|'t|[a-z]+|[0-9]|[^\sa-z0-9]+", sentence.lower()):
            symbols = [alphabet[b] for b in word.encode()]
            words[(*symbols[:-1], symbols[-1] + "</w>")] += 1
    merges = []
    while len(merges) < count:
        pairs = collections.Counter()
        for word, n in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        words = collections.Counter({merge_word(w, best): n for w, n in words.items()})
    return merges


def merge_word(word, pair):
    out, i = [], 0
    while i < len(word):
        if word[i : i + 2] == pair:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def clip_tokenizers(work):
    """The pair (L, G) and the vocabulary size; they share a vocabulary, G pads with "!" = id 0."""
    work = pathlib.Path(work)
    work.mkdir(parents=True, exist_ok=True)
    base = list(byte_alphabet().values())
    merges = train_merges(MERGES)
    vocab = base + [s + "</w>" for s in base] + ["".join(m) for m in merges] + [BEGIN, END]
    assert len(set(vocab)) == len(vocab)
    vocab_file, merges_file = work / "vocab.json", work / "merges.txt"
    vocab_file.write_text(json.dumps({t: i for i, t in enumerate(vocab)}, ensure_ascii=False))
    lines = ["#version: 0.2"] + [" ".join(m) for m in merges]
    merges_file.write_text("\n".join(lines) + "\n")

    def make(pad):
        return CLIPTokenizer(
            str(vocab_file),
            str(merges_file),
            bos_token=BEGIN,
            eos_token=END,
            unk_token=END,
            pad_token=pad,
            model_max_length=77,
        )

    return make(END), make("!"), len(vocab)


# Normaliser rules in the form of the library's tables (code points in hex). Small, because the full
# nmt_nfkc table would add 240 KB; it has deletions, longest match over prefixes, and growth.
CHARSMAP = {
    **{f"{c:X}": "20" for c in (0x9, 0xA, 0xD, 0xA0, 0x2002, 0x2003, 0x3000, 0x200B)},
    **{f"{0xFF01 + i:X}": f"{0x21 + i:X}" for i in range(94)},
    "1": "",
    "7F": "",
    "FB01": "66 69",
    "FB03": "66 66 69",
    "2460": "31",
    "2026": "2E 2E 2E",
    "65 301": "E9",
    "65 302": "EA",
    "65 302 301": "1EBF",
    "6E 303": "F1",
    "1F34E": "61 70 70 6C 65",
}


def t5_tokenizer(work, max_length, legacy):
    """T5 tokenizer from a freshly trained Unigram model with the rules above.

    `legacy` puts the word-start mark before every segment, otherwise only before the first.
    """
    work = pathlib.Path(work)
    work.mkdir(parents=True, exist_ok=True)
    tsv = work / "rules.tsv"
    tsv.write_text("".join(f"{k}\t{v}\n" for k, v in sorted(CHARSMAP.items())))
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 4),
        model_writer=model,
        model_type="unigram",
        vocab_size=T5_PIECES,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        num_threads=1,
        minloglevel=2,
        normalization_rule_tsv=str(tsv),
    )
    spiece = work / "spiece.model"
    spiece.write_bytes(strip_trainer_paths(model.getvalue()))
    return T5TokenizerFast(
        str(spiece),
        extra_ids=20,
        model_max_length=max_length,
        add_prefix_space=True,
        legacy=legacy,
    )


def strip_trainer_paths(blob):
    """Drops trainer settings and the rule file's path: they name this machine's folders."""
    from sentencepiece import sentencepiece_model_pb2 as pb

    proto = pb.ModelProto.FromString(blob)
    proto.trainer_spec.ClearField("input")
    proto.trainer_spec.ClearField("model_prefix")
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    return proto.SerializeToString(deterministic=True)
