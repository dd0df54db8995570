"""Extract the emoji glyphs and their English names.

Sources (Debian packages): the CBDT bitmaps of fonts-noto-color-emoji (SIL OFL 1.1) and the
annotations of unicode-cldr-core (Unicode licence). The list of emoji is written to emoji.tsv,
which is committed: the pictures of the model and of its quality test come from that list alone.

    python training/glyphs.py --work WORK           # writes WORK/atlas.npz
    python training/glyphs.py --write-list          # rewrites training/emoji.tsv as well
"""

import argparse
import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
LIST = HERE / "emoji.tsv"
FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
NAMES = "/usr/share/unicode/cldr/common/annotations/en.xml"
SIDE = 128  # canvas of one glyph in the atlas; a bitmap is 136x128

SKIN_TONES = range(0x1F3FB, 0x1F400)
REGIONAL = range(0x1F1E6, 0x1F200)
FIRST = 0x203C  # below it: ASCII, (c) and (R), which no one would ask for by name
QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"'})


def bitmaps(font_path=FONT):
    """Maps code point -> PNG bytes for every colour bitmap with a code point of its own."""
    from fontTools.ttLib import TTFont

    font = TTFont(font_path)
    strike = font["CBDT"].strikeData[0]
    found = {}
    for code, glyph in font.getBestCmap().items():
        if code >= FIRST and glyph in strike:
            if code not in SKIN_TONES and code not in REGIONAL:
                found[code] = strike[glyph].imageData
    return found


def annotations(path=NAMES):
    """Maps code point -> (name, keywords) for the single-character annotations."""
    names, keywords = {}, {}
    for node in ElementTree.parse(path).getroot().iter("annotation"):
        text = node.get("cp").replace("\ufe0f", "")
        if len(text) != 1:
            continue
        if node.get("type") == "tts":
            names[ord(text)] = node.text.strip()
        else:
            keywords[ord(text)] = [w.strip() for w in node.text.split("|")]
    return {c: (n, keywords.get(c, [])) for c, n in names.items()}


def write_list():
    """Writes code point, name and keywords (other than the name) of every drawable emoji."""
    pictures, words = bitmaps(), annotations()
    lines, seen = [], set()
    for code in sorted(set(pictures) & set(words)):
        name, keys = words[code]
        name = name.translate(QUOTES)
        if name.lower() in seen:
            continue
        seen.add(name.lower())
        keys = [k.translate(QUOTES) for k in keys if k.lower() != name.lower()]
        lines.append(f"{code:05X}\t{name}\t{'|'.join(keys)}\n")
    LIST.write_text("".join(lines), encoding="utf-8")
    return len(lines)


def read_list():
    """The committed list: [(code point, name, [keyword, ...]), ...] in code point order."""
    rows = []
    for line in LIST.read_text(encoding="utf-8").splitlines():
        code, name, keys = line.split("\t")
        rows.append((int(code, 16), name, [k for k in keys.split("|") if k]))
    return rows


def atlas():
    """RGBA uint8 [emoji, SIDE, SIDE, 4], each bitmap trimmed to a square and centred."""
    pictures = bitmaps()
    out = np.zeros((len(read_list()), SIDE, SIDE, 4), np.uint8)
    for i, (code, _, _) in enumerate(read_list()):
        picture = Image.open(io.BytesIO(pictures[code])).convert("RGBA")
        wide = max(picture.size)
        canvas = Image.new("RGBA", (wide, wide))
        canvas.paste(picture, ((wide - picture.width) // 2, (wide - picture.height) // 2))
        if wide != SIDE:
            canvas = canvas.resize((SIDE, SIDE), Image.LANCZOS)
        out[i] = np.asarray(canvas)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=HERE / "work")
    parser.add_argument("--write-list", action="store_true")
    args = parser.parse_args()
    if args.write_list:
        print("emoji:", write_list())
    args.work.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.work / "atlas.npz", rgba=atlas())
    print("atlas:", args.work / "atlas.npz")


if __name__ == "__main__":
    main()
