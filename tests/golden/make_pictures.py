#!/usr/bin/env python3
"""Writes pictures.zip for test_picture.c: generated JPEG and PNG files, and for each NAME.EXT a NAME.EXT.raw with
the pixels that Pillow finds in it (height, width, channels as 32 bits, then bytes); resize-*.raw and square-*.raw
hold what Pillow's BILINEAR makes of gradient.png. And own.zip, a data set of shapes: three classes, two splits, JPEG
and PNG, grey and RGB, of several sizes, and files that are no pictures. And images.npz. Needs Pillow and NumPy."""
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



def save(archive, files):
    with zipfile.ZipFile(os.path.join(HERE, archive), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        for name, data in files:
            z.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)


def shape(kind, i):
    """A disc, a square or stripes on a dark ground, of an own size and shade."""
    h, w = 24 + i % 5, 24 + i * 7 % 9
    y, x = np.mgrid[0:h, 0:w] / np.array([h - 1, w - 1]).reshape(2, 1, 1) - .5
    inside = {"disc": x * x + y * y < .1, "square": np.maximum(abs(x), abs(y)) < .3, "Stripes": np.sin(25 * x) > 0}
    a = np.where(inside[kind], 150 + 10 * (i % 8), 20 + 5 * (i % 5)).astype(np.uint8)
    if i % 3 == 0:
        a = np.stack([a, a // 2, 255 - a], 2)
    return Image.fromarray(a)


save("pictures.zip", sorted(members.items()))
own = [("shapes/readme.txt", b"no picture"), ("__MACOSX/shapes/train/disc/._1.jpg", b"no picture")]
for kind in ("disc", "square", "Stripes"):
    for i in range(14):
        out = io.BytesIO()
        suffix = "png" if i % 2 else "JPG"
        shape(kind, i).save(out, "png" if i % 2 else "jpeg", quality=90)
        own.append((f"shapes/{'train' if i < 10 else 'test'}/{kind}/{i}.{suffix}", out.getvalue()))
save("own.zip", own)

# What others pack: for test_packed.c.
np.savez_compressed(os.path.join(HERE, "images.npz"), images=np.arange(150, dtype=np.uint8).reshape(6, 5, 5),
                    labels=np.arange(6))
