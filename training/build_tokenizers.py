"""Train the small vocabularies of the emoji model on its own captions.

Writes tokenizer/ and tokenizer_2/ (CLIP BPE, one shared vocabulary; they differ in the padding
token, as in SD3) and tokenizer_3/ (T5 Unigram: spiece.model and the same as tokenizer.json).

    python training/build_tokenizers.py --model models/emoji
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

import captions
import glyphs

BOS, EOS = "<|startoftext|>", "<|endoftext|>"
SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
CLIP_VOCABULARY = 2560
T5_VOCABULARY = 2048
LENGTH = 32  # of every encoder: BOS and EOS included
CORPUS = 60000


def byte_alphabet():
    """The 256 byte symbols in CLIP's order: printable bytes first, so that "!" is 0."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in kept]
    return [chr(b) for b in kept] + [chr(256 + i) for i in range(len(rest))]


def corpus():
    """Captions, and every name and keyword a few times so that none falls to pieces."""
    writer = captions.Writer(20250101)
    lines = [writer.caption(writer.scene()) for _ in range(CORPUS)]
    for _, name, keys in glyphs.read_list():
        lines += [name.lower()] * 40 + [name] * 20 + [k for k in keys for _ in range(3)]
    for form in captions.HELD_OUT + captions.HELD_OUT_PAIR:
        lines += [form.format(x="apple", a="apple", b="apple", on="on", bg="")] * 5
    return lines


def clip_pipeline(model):
    """Normaliser and splitter of CLIP around a BPE model."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return tokenizer


def train_clip(lines):
    """(vocabulary, merges) with BOS and EOS as the two highest ids."""
    tokenizer = clip_pipeline(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=CLIP_VOCABULARY + 600, end_of_word_suffix="</w>", show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    learned = json.loads(tokenizer.to_str())["model"]["merges"]
    symbols = byte_alphabet()
    words = symbols + [s + "</w>" for s in symbols]
    known, merges = set(words), []
    for left, right in learned:
        if len(words) == CLIP_VOCABULARY - 2:
            break
        if left + right not in known:
            known.add(left + right)
            words.append(left + right)
            merges.append((left, right))
    words += [BOS, EOS]
    return {w: i for i, w in enumerate(words)}, merges


def dump(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def token(text):
    return {"content": text, "lstrip": False, "normalized": False, "rstrip": False,
            "single_word": False}


def write_clip(folder, vocabulary, merges, pad):
    folder.mkdir(parents=True, exist_ok=True)
    compact = json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":"))
    (folder / "vocab.json").write_text(compact + "\n", encoding="utf-8")
    rules = "\n".join(f"{a} {b}" for a, b in merges)
    (folder / "merges.txt").write_text(f"#version: 0.2\n{rules}\n", encoding="utf-8")
    special = {"bos_token": token(BOS), "eos_token": token(EOS), "unk_token": token(EOS),
               "pad_token": token(pad) if pad == "!" else pad}
    dump(folder / "special_tokens_map.json", special)
    added = {str(vocabulary[t]): dict(token(t), special=True) for t in {BOS, EOS, pad}}
    dump(folder / "tokenizer_config.json", {
        "add_prefix_space": False, "added_tokens_decoder": dict(sorted(added.items())),
        "bos_token": BOS, "eos_token": EOS, "unk_token": EOS, "pad_token": pad,
        "clean_up_tokenization_spaces": True, "do_lower_case": True, "errors": "replace",
        "model_max_length": LENGTH, "tokenizer_class": "CLIPTokenizer"})


def write_t5(folder, lines):
    import sentencepiece
    from transformers import T5TokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        text = Path(scratch) / "corpus.txt"
        text.write_text("\n".join(lines), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=f"{scratch}/spiece", vocab_size=T5_VOCABULARY,
            model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
            normalization_rule_name="nmt_nfkc", character_coverage=1.0,
            num_threads=2, minloglevel=2)
        shutil.copy(f"{scratch}/spiece.model", folder / "spiece.model")
    fast = T5TokenizerFast(vocab_file=str(folder / "spiece.model"), extra_ids=0, legacy=True,
                           add_prefix_space=True,
                           model_max_length=LENGTH)
    fast.backend_tokenizer.save(str(folder / "tokenizer.json"))
    dump(folder / "special_tokens_map.json",
         {"eos_token": token("</s>"), "pad_token": token("<pad>"), "unk_token": token("<unk>")})
    added = {str(i): dict(token(t), special=True) for i, t in enumerate(("<pad>", "</s>", "<unk>"))}
    dump(folder / "tokenizer_config.json", {
        "added_tokens_decoder": added, "additional_special_tokens": [],
        "clean_up_tokenization_spaces": True, "eos_token": "</s>", "extra_ids": 0, "legacy": True,
        "model_max_length": LENGTH, "pad_token": "<pad>", "unk_token": "<unk>",
        "tokenizer_class": "T5Tokenizer"})


class Encoders:
    """Token ids for training, from the files alone (no network, no transformers)."""

    def __init__(self, model):
        clip = Path(model) / "tokenizer"
        vocabulary = json.loads((clip / "vocab.json").read_text(encoding="utf-8"))
        rules = (clip / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
        self.clip = clip_pipeline(models.BPE(
            vocabulary, [tuple(r.split(" ")) for r in rules], end_of_word_suffix="</w>",
            continuing_subword_prefix="", unk_token=EOS))
        self.t5 = Tokenizer.from_file(str(Path(model) / "tokenizer_3" / "tokenizer.json"))
        self.bos, self.eos = vocabulary[BOS], vocabulary[EOS]

    def lengths(self, text):
        return len(self.clip.encode(text).ids) + 2, len(self.t5.encode(text).ids)

    def split_pad(self, text):
        """CLIP-G ids as diffusers makes them: "!" is its padding token, so always id 0."""
        ids = []
        for i, part in enumerate(text.split("!")):
            ids += [0] * (i > 0) + self.clip.encode(part).ids
        return [self.bos, *ids[:LENGTH - 2], self.eos]

    def __call__(self, texts):
        """(clip_l, clip_g, t5) ids, each a list of LENGTH ids per text."""
        first, second, third = [], [], []
        for encoding in self.clip.encode_batch(texts):
            ids = [self.bos, *encoding.ids[:LENGTH - 2], self.eos]
            first.append(ids + [self.eos] * (LENGTH - len(ids)))
        for text, row in zip(texts, first):
            ids = self.split_pad(text) if "!" in text else row[:row.index(self.eos) + 1]
            second.append(ids + [0] * (LENGTH - len(ids)))
        for encoding in self.t5.encode_batch(texts):
            ids = encoding.ids
            ids = ids[:LENGTH - 1] + [1] if len(ids) > LENGTH else ids
            third.append(ids + [0] * (LENGTH - len(ids)))
        return first, second, third


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    args = parser.parse_args()
    lines = corpus()
    vocabulary, merges = train_clip(lines)
    write_clip(args.model / "tokenizer", vocabulary, merges, EOS)
    write_clip(args.model / "tokenizer_2", vocabulary, merges, "!")
    write_t5(args.model / "tokenizer_3", lines)
    encoders = Encoders(args.model)
    sizes = sorted(encoders.lengths(line) for line in lines[:4000])
    longest = [sorted(s[i] for s in sizes) for i in (0, 1)]
    print("vocabulary", len(vocabulary), "merges", len(merges))
    print("tokens: median, 99 %, most:", [(s[2000], s[3960], s[-1]) for s in longest])


if __name__ == "__main__":
    main()
