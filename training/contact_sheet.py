"""Draws the prompts of contact_sheet.txt with the program and puts them on one sheet.

    python training/contact_sheet.py --engine build/octet --out docs/images/contact_sheet.jpg
"""

import argparse
import pathlib
import subprocess
import tempfile

from PIL import Image, ImageDraw, ImageFont

HERE = pathlib.Path(__file__).resolve().parent
COLUMNS, SIDE, LABEL = 8, 128, 16


def draw(engine, prompt, path):
    subprocess.run([engine, "generate", prompt, "--seed", "1", "--quiet", "-o", str(path)], check=True)
    return Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.LANCZOS)


def sheet(engine, prompts):
    rows = -(-len(prompts) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * SIDE, rows * (SIDE + LABEL)), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default()
    with tempfile.TemporaryDirectory() as folder:
        for i, prompt in enumerate(prompts):
            x, y = i % COLUMNS * SIDE, i // COLUMNS * (SIDE + LABEL)
            page.paste(draw(engine, prompt, pathlib.Path(folder) / f"{i}.png"), (x, y))
            shown = prompt
            while pen.textlength(shown, font=font) > SIDE - 4:
                shown = shown[:-1]
            pen.text((x + 2, y + SIDE + 1), shown, fill="black", font=font)
    return page


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--engine", default="build/octet")
    options.add_argument("--out", required=True)
    arguments = options.parse_args()
    prompts = (HERE / "contact_sheet.txt").read_text().splitlines()
    sheet(arguments.engine, prompts).save(arguments.out, quality=90)


if __name__ == "__main__":
    main()
