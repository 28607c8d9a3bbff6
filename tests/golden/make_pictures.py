#!/usr/bin/env python3
"""Writes pictures.zip for test_picture.c: generated JPEG and PNG files, and for each NAME.EXT a NAME.EXT.raw with
the pixels that Pillow finds in it (height, width, channels as 32 bits, then bytes); resize-*.raw and square-*.raw
hold what Pillow's BILINEAR makes of gradient.png. Needs Pillow and NumPy."""
import io
import os
import struct
import zipfile

import numpy as np
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
H, W = 12, 20
members = {}


def raw(a):
    a = np.asarray(a)
    a = a.reshape(a.shape[0], a.shape[1], -1).astype(np.uint8)
    return struct.pack("<3i", *a.shape) + a.tobytes()


def add(name, image, expected=None, **options):
    out = io.BytesIO()
    image.save(out, name.split(".")[-1].replace("jpg", "jpeg"), **options)
    members[name] = out.getvalue()
    if expected is None:
        expected = ImageOps.exif_transpose(Image.open(io.BytesIO(members[name])))
    members[name + ".raw"] = raw(expected)


def scene(h, w):
    """Smooth shades, an edge and a few dots: no two of its eight turns look the same."""
    y, x = np.mgrid[0:h, 0:w] / np.array([h, w]).reshape(2, 1, 1)
    a = np.stack([255 * x, 255 * y, 127 + 120 * np.sin(9 * x * y)], 2)
    a[: h // 3, : w // 4] *= .3
    a[h // 2, ::5] = 255
    return Image.fromarray(a.astype(np.uint8))


rgb = scene(H, W)
grey = rgb.convert("L")
for how in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = how
    order = b"II" if how % 2 else b"MM"
    exif.endian = "<" if how % 2 else ">"
    add(f"turn{how}.jpg", grey, exif=exif.tobytes(), quality=95)
add("rgb.jpg", rgb, quality=95, subsampling=0)
add("progressive.jpg", rgb, quality=90, subsampling=0, progressive=True)
add("cmyk.jpg", rgb.convert("CMYK"), expected=grey)
add("grey.png", grey)
add("rgb.png", rgb)
add("palette.png", rgb.quantize(32), expected=rgb.quantize(32).convert("RGB"))
add("bit.png", grey.convert("1"), expected=grey.convert("1").convert("L"))
wide = (np.asarray(grey).astype(np.uint16) * 257)
add("grey16.png", Image.fromarray(wide), expected=grey)
alpha = np.dstack([np.asarray(rgb), np.linspace(0, 255, H * W).reshape(H, W).astype(np.uint8)])
black = (alpha[:, :, :3].astype(int) * alpha[:, :, 3:] + 127) // 255
add("alpha.png", Image.fromarray(alpha), expected=black)
big = scene(37, 53)
add("gradient.png", big)
for name, image in (("rgb", big), ("grey", big.convert("L"))):
    for h, w in ((24, 24), (7, 5), (37, 20), (50, 71), (1, 1)):
        members[f"resize-{name}-{h}x{w}.raw"] = raw(image.resize((w, h), Image.BILINEAR))
for side in (24, 37, 48):
    middle = big.convert("L").crop((8, 0, 45, 37))
    members[f"square-{side}.raw"] = raw(middle.resize((side, side), Image.BILINEAR))

with zipfile.ZipFile(os.path.join(HERE, "pictures.zip"), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
    for name, data in sorted(members.items()):
        z.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)
