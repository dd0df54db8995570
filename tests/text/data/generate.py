#!/usr/bin/env python3
"""Writes the small tokenizers of this folder and the ids that reference libraries give for them.

Needs Python with `tokenizers`, `transformers` and `sentencepiece`; the versions used are in the
"versions" field of golden.json. Usage: python3 tests/text/data/generate.py
"""
import base64
import collections
import io
import json
import pathlib
import struct

import sentencepiece
import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

import prompts

HERE = pathlib.Path(__file__).resolve().parent
BOS, EOS = "<|startoftext|>", "<|endoftext|>"


def byte_letters():
    """Byte -> printable letter, the alphabet of byte-level BPE."""
    letters, extra = {}, 0
    for byte in range(256):
        if 0x21 <= byte <= 0x7E or (byte >= 0xA1 and byte != 0xAD):
            letters[byte] = chr(byte)
        else:
            letters[byte] = chr(0x100 + extra)
            extra += 1
    return letters


def train_bpe(words, rules):
    """The `rules` most frequent merges, greedily; ties by text so that reruns agree."""
    letters = byte_letters()
    corpus = {}
    for word, count in collections.Counter(words).items():
        symbols = [letters[byte] for byte in word.encode()]
        symbols[-1] += "</w>"
        corpus[tuple(symbols)] = corpus.get(tuple(symbols), 0) + count
    merges = []
    while len(merges) < rules:
        pairs = collections.Counter()
        for symbols, count in corpus.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        merged = {}
        for symbols, count in corpus.items():
            out, i = [], 0
            while i < len(symbols):
                if symbols[i:i + 2] == best:
                    out.append(symbols[i] + symbols[i + 1])
                    i += 2
                else:
                    out.append(symbols[i])
                    i += 1
            merged[tuple(out)] = merged.get(tuple(out), 0) + count
        corpus = merged
    return merges


def dump(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n",
                    encoding="utf-8")


def token_entry(content, normalized=True):
    return {"content": content, "lstrip": False, "normalized": normalized, "rstrip": False,
            "single_word": False, "special": True}


def make_clip():
    """vocab.json and merges.txt in the order of CLIP, with two configurations."""
    text = prompts.CORPUS.lower()
    pattern = Regex(r"'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    splitter = pre_tokenizers.Split(pattern, "removed", True)
    words = [word for word, _ in splitter.pre_tokenize_str(text)]
    merges = train_bpe(words, 420)
    order = sorted(byte_letters().values())
    vocabulary = {}
    for token in order + [letter + "</w>" for letter in order] + [a + b for a, b in merges]:
        vocabulary.setdefault(token, len(vocabulary))
    bos = vocabulary[BOS] = len(vocabulary)
    eos = vocabulary[EOS] = len(vocabulary)
    dump(HERE / "clip/vocab.json", vocabulary)
    (HERE / "clip/merges.txt").write_text(
        "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")
    common = {"bos_token": token_entry(BOS), "eos_token": token_entry(EOS),
              "unk_token": token_entry(EOS), "model_max_length": 77}
    decoder = {str(bos): token_entry(BOS), str(eos): token_entry(EOS)}
    plain = {"added_tokens_decoder": decoder, "pad_token": EOS, **common}
    bang = {"added_tokens_decoder": {str(vocabulary["!"]): token_entry("!", False), **decoder},
            "pad_token": "!", **common}
    dump(HERE / "clip/tokenizer_config.json", plain)
    dump(HERE / "clip_bang/tokenizer_config.json", bang)
    return vocabulary, merges, plain, bang


def clip_oracle(vocabulary, merges, config):
    """The transformers tokenizer, with the flags of the configuration applied."""
    oracle = transformers.CLIPTokenizer(vocab=dict(vocabulary), merges=list(merges))
    backend = oracle.backend_tokenizer
    fresh = Tokenizer(models.BPE(vocab=dict(vocabulary), merges=list(merges),
                                 continuing_subword_prefix="", end_of_word_suffix="</w>",
                                 fuse_unk=False, unk_token=EOS))
    fresh.normalizer = backend.normalizer
    fresh.pre_tokenizer = backend.pre_tokenizer
    fresh.add_special_tokens([
        AddedToken(entry["content"], normalized=entry["normalized"], special=True)
        for _, entry in sorted(config["added_tokens_decoder"].items(), key=lambda kv: int(kv[0]))])
    return fresh


def train_spiece(name, **settings):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(prompts.CORPUS.splitlines()), model_writer=model,
        model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False, character_coverage=1.0,
        minloglevel=2, **settings)
    path = HERE / name / "spiece.model"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(model.getvalue())
    return path


def spiece_oracle(path, scheme, extra_ids=100):
    """What the conversion from SentencePiece to the fast library builds for T5."""
    proto = load_proto(path)
    vocab = [(piece.piece, piece.score) for piece in proto.pieces]
    vocab += [(f"<extra_id_{i}>", 0.0) for i in range(extra_ids - 1, -1, -1)]
    oracle = Tokenizer(models.Unigram(vocab, unk_id=proto.trainer_spec.unk_id, byte_fallback=False))
    oracle.normalizer = normalizers.Sequence([
        normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap),
        normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "\u2581")])
    oracle.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme=scheme)
    oracle.post_processor = processors.TemplateProcessing(single=["$A", "</s>"],
                                                          special_tokens=[("</s>", 1)])
    oracle.add_special_tokens([AddedToken(token, normalized=False, special=True)
                               for token in ["<pad>", "</s>", "<unk>"] +
                               [f"<extra_id_{i}>" for i in range(extra_ids)]])
    return oracle


def load_proto(path):
    from transformers.utils import sentencepiece_model_pb2_new as pb
    proto = pb.ModelProto()
    proto.ParseFromString(path.read_bytes())
    return proto


def make_small_map():
    """A character map of a few rules, trained into a throw-away model, as its binary form."""
    rules = {"\t": " ", "\n": " ", "\u00a0": " ", "\u3000": " ", "\uff21": "A", "\ufb01": "fi",
             "e\u0301": "\u00e9", "e\u0302": "\u00ea", "e\u0302\u0301": "\u1ebf", "\u2026": "...",
             "\u200b": "", "\u2122": "TM", "\u00bd": "1/2", "\u00a8": " \u0308"}
    table = HERE / "rules.tsv"
    codes = [[" ".join(f"{ord(c):04X}" for c in side) for side in rule] for rule in rules.items()]
    table.write_text("".join(f"{key}\t{value}\n" for key, value in codes), encoding="utf-8")
    path = train_spiece("scratch", vocab_size=300, normalization_rule_tsv=str(table))
    blob = load_proto(path).normalizer_spec.precompiled_charsmap
    table.unlink()
    path.unlink()
    path.parent.rmdir()
    assert struct.unpack("<I", blob[:4])[0] < len(blob)
    return blob


def make_json(path, spiece, charsmap):
    """A tokenizer.json with the other pipeline that is in use: split at white space first."""
    oracle = spiece_oracle(spiece, "always", extra_ids=4)
    oracle.normalizer = normalizers.Sequence([
        normalizers.Precompiled(charsmap), normalizers.NFC(), normalizers.Replace("``", '"'),
        normalizers.Replace(Regex(r"-+"), "-"), normalizers.Strip(left=True, right=True)])
    oracle.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.WhitespaceSplit(),
        pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="first")])
    oracle.add_special_tokens([AddedToken("<left>", lstrip=True, normalized=False),
                               AddedToken("<right>", rstrip=True, normalized=False),
                               AddedToken("<Norm>", normalized=True),
                               AddedToken("<whole>", single_word=True, normalized=False)])
    path.parent.mkdir(exist_ok=True)
    oracle.save(str(path), pretty=False)
    return Tokenizer.from_file(str(path))


def main():
    vocabulary, merges, plain, bang = make_clip()
    spiece = train_spiece("t5", vocab_size=700, normalization_rule_name="nmt_nfkc")
    described = make_json(HERE / "t5_json/tokenizer.json", spiece, make_small_map())
    oracles = {
        "clip": clip_oracle(vocabulary, merges, plain),
        "clip_bang": clip_oracle(vocabulary, merges, bang),
        "t5": spiece_oracle(spiece, "always"),
        "t5_first": spiece_oracle(spiece, "first"),
        "t5_json": described,
    }
    cases = []
    for entry in prompts.PROMPTS:
        text, repeat = entry if isinstance(entry, tuple) else (entry, 1)
        case = {"text": text}
        if repeat > 1:
            case["repeat"] = repeat
        for name, oracle in oracles.items():
            case[name] = oracle.encode(text * repeat, add_special_tokens=False).ids
        # Equal answers are written once.
        for name, same in (("clip_bang", "clip"), ("t5_first", "t5")):
            if case[name] == case[same]:
                del case[name]
        cases.append(case)
    assert len(cases) >= 300, len(cases)
    versions = {module.__name__: module.__version__
                for module in (tokenizers, transformers, sentencepiece)}
    lines = [json.dumps(case, ensure_ascii=True, separators=(",", ":")) for case in cases]
    (HERE / "golden.json").write_text(
        '{"versions":' + json.dumps(versions) + ',\n"cases":[\n' + ",\n".join(lines) + "\n]}\n")


main()
