#!/usr/bin/env python3
"""Writes the archives of test_zip.c with Python's zipfile: plain.zip (stored and deflated entries, folders,
a comment), stream.zip (written to a pipe: sizes behind the data), zip64.zip (sizes of 64 bits)."""
import io
import os
import struct
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
DATE = (1980, 1, 1, 0, 0, 0)
TEXT = b"".join(b"line %d\n" % i for i in range(300))
ENTRIES = [("empty.txt", b""), ("folder/", b""), ("folder/text.txt", TEXT), ("folder/short", b"abc")]


class Pipe(io.RawIOBase):
    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, part):
        self.data += bytes(part)
        return len(part)


def write(out, method, comment=b"", force64=False):
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in ENTRIES:
            info = zipfile.ZipInfo(name, DATE)
            info.compress_type = zipfile.ZIP_STORED if name == "folder/short" else method
            with z.open(info, "w", force_zip64=force64) as f:
                f.write(data)
        z.comment = comment


def to_zip64(data):
    """The sizes and offsets of every entry and of the directory moved to the fields of 64 bits."""
    end = data.rindex(b"PK\5\6")
    entries, size, begin = struct.unpack("<HII", data[end + 10:end + 20])
    out, at, ones = data[:begin], begin, 0xFFFFFFFF
    for _ in range(entries):
        head = bytearray(data[at:at + 46])
        packed, whole, name, extra, comment = struct.unpack("<IIHHH", head[20:34])
        offset, = struct.unpack("<I", head[42:46])
        struct.pack_into("<IIHH", head, 20, ones, ones, name, extra + 28)
        struct.pack_into("<I", head, 42, ones)
        out += bytes(head) + data[at + 46:at + 46 + name + extra]
        out += struct.pack("<HHQQQ", 1, 24, whole, packed, offset)
        at += 46 + name + extra + comment
    end64 = len(out)
    out += struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, end64 - begin, begin)
    out += struct.pack("<4sIQI", b"PK\6\7", 0, end64, 1)
    return out + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, ones, ones, 0)


def save(name, data):
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(data)


plain, pipe = io.BytesIO(), Pipe()
write(plain, zipfile.ZIP_DEFLATED, b"a comment")
write(pipe, zipfile.ZIP_DEFLATED)
save("plain.zip", plain.getvalue())
save("stream.zip", pipe.data)
deflated = io.BytesIO()
write(deflated, zipfile.ZIP_DEFLATED, force64=True)
save("zip64.zip", to_zip64(deflated.getvalue()))
