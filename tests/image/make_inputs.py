"""Writes the pictures of tests/fuzz/seeds/decode with Pillow 13 and prints what it reads from them:
size and SHA-256 of RGBA, upright (ImageOps.exif_transpose). decode_test.cc holds the table."""

import hashlib
import io
import pathlib
import struct
import sys
import zlib

import numpy
from PIL import Image, ImageOps

OUT = pathlib.Path(__file__).resolve().parent.parent / "fuzz/seeds/decode"
WIDTH, HEIGHT = 21, 13


def rgba():
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
    return numpy.stack([x * 12, y * 19, (x + y) * 7, 255 - x * 8], -1).astype(numpy.uint8)


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(depth, colour, rows, *before, interlace=0):
    """A PNG of rows that are packed already; none is filtered."""
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, interlace)
    data = zlib.compress(b"".join(b"\0" + bytes(r) for r in rows))
    chunks = [chunk(b"IHDR", head), *before, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def interlaced():
    """Adam7 of the RGBA picture."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = []
    for x, y, dx, dy in passes:
        rows += [r.tobytes() for r in rgba()[y::dy, x::dx] if r.size]
    return png(8, 6, rows, interlace=1)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def files():
    full = Image.fromarray(rgba())
    rgb = full.convert("RGB")
    grey = rgb.convert("L")
    palette = rgb.quantize(8)
    deep = (rgba().astype(">u2") * 257).astype(">u2")
    out = {
        "rgb.png": saved(rgb, "PNG"),
        "rgba.png": saved(full, "PNG"),
        "grey.png": saved(grey, "PNG"),
        "grey_alpha.png": saved(full.convert("LA"), "PNG"),
        "bilevel.png": saved(rgb.convert("1"), "PNG"),
        "palette.png": saved(palette, "PNG"),
        "palette_alpha.png": saved(palette, "PNG", transparency=2),
        "rgba16.png": png(16, 6, [r.tobytes() for r in deep]),
        "interlaced.png": interlaced(),
        "turned.png": saved(rgb, "PNG", exif=exif(8)),
        "profile.png": saved(rgb, "PNG", icc_profile=b"a profile"),
        "moving.png": saved(rgb, "PNG", save_all=True, append_images=[rgb.rotate(90)]),
        "lossless.webp": saved(full, "WEBP", lossless=True, exact=True),
        "turned.webp": saved(rgb, "WEBP", lossless=True, exif=exif(6)),
        "lossy.webp": saved(rgb, "WEBP", quality=90),
        "moving.webp": saved(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(90)]),
        "baseline.jpg": saved(rgb, "JPEG", quality=95, subsampling=0),
        "progressive.jpg": saved(rgb, "JPEG", quality=95, progressive=True),
        "grey.jpg": saved(grey, "JPEG"),
        "cmyk.jpg": saved(rgb.convert("CMYK"), "JPEG"),
        "profile.jpg": saved(rgb, "JPEG", icc_profile=b"a profile"),
    }
    for orientation in range(1, 9):
        out[f"turned{orientation}.jpg"] = saved(
            rgb, "JPEG", quality=95, subsampling=0, exif=exif(orientation)
        )
    return out


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, data in sorted(files().items()):
        (OUT / name).write_bytes(data)
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGBA")
        digest = hashlib.sha256(image.tobytes()).hexdigest()[:16]
        print(f'    {{"{name}", {image.width}, {image.height}, "{digest}"}},')


if __name__ == "__main__":
    sys.exit(main())
