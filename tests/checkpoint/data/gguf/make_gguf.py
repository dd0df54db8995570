#!/usr/bin/env python3
"""Writes blocks.gguf and what its tensors decode to, blocks.safetensors.

Both come from the `gguf` package (0.19.0) with numpy and safetensors: its writer, its quantisers
and its dequantisers. Types that it cannot quantise, and for each type a tensor "raw.TYPE", get
random codes and scales, so that every code and packed scale occurs.
"""
import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).resolve().parent
QUANTISED = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]
# Where the FP16 scales lie in a block.
SCALES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
# Smallest subnormal, largest subnormal, negative zero, largest and ordinary values.
HALVES = np.array([0x0001, 0x03FF, 0x8000, 0x7BFF, 0x1CCD, 0x9E66, 0x2E00], dtype=np.uint16)


def random_blocks(random, kind, rows, width):
    values, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (rows * width // values, size), dtype=np.uint8)
    for offset in SCALES[kind.name]:
        halves = random.choice(HALVES, len(blocks))
        blocks[:, offset:offset + 2] = halves.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(rows, -1)


def main():
    random = np.random.default_rng(7)
    writer = gguf.GGUFWriter(HERE / "blocks.gguf", "sd3")
    writer.add_uint8("test.u8", 200)
    writer.add_int8("test.i8", -100)
    writer.add_uint16("test.u16", 60000)
    writer.add_int16("test.i16", -30000)
    writer.add_uint32("test.u32", 4000000000)
    writer.add_int32("test.i32", -2000000000)
    writer.add_float32("test.f32", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "grün")
    writer.add_uint64("test.u64", 18446744073709551615)
    writer.add_int64("test.i64", -9223372036854775808)
    writer.add_float64("test.f64", 0.1)
    writer.add_array("test.strings", ["a", "", "ccc"])
    writer.add_array("test.numbers", [1, 2, 3])
    writer.add_array("comfy.gguf.orig_shape.reshaped", [2, 3, 32])
    expected = {}

    def add(name, data, kind):
        expected[name] = np.ascontiguousarray(gguf.dequantize(data, kind).astype(np.float32))
        plain = kind in (Type.F32, Type.F16)
        writer.add_tensor(name, data, raw_dtype=None if plain else kind)

    add("f32", random.standard_normal((2, 3), dtype=np.float32), Type.F32)
    add("f16", random.standard_normal((3, 2, 5, 1)).astype(np.float16), Type.F16)
    wide = random.standard_normal((3, 7), dtype=np.float32)
    add("bf16", gguf.quantize(wide, Type.BF16), Type.BF16)
    add("vector", gguf.quantize(random.standard_normal(96, dtype=np.float32), Type.Q8_0), Type.Q8_0)
    for name in QUANTISED:
        kind = Type[name]
        width = 2 * gguf.GGML_QUANT_SIZES[kind][0]
        if not name.endswith("_K"):
            plain = random.standard_normal((3, width), dtype=np.float32)
            plain[1, :32] = 0
            add(name, gguf.quantize(plain, kind), kind)
        add("raw." + name, random_blocks(random, kind, 4, width), kind)
    shaped = gguf.quantize(random.standard_normal((1, 192), dtype=np.float32), Type.Q4_0)
    add("reshaped", shaped, Type.Q4_0)
    expected["reshaped"] = expected["reshaped"].reshape(2, 3, 32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, HERE / "blocks.safetensors")


if __name__ == "__main__":
    main()
