"""extract_kernel.py BZIMAGE ELF: takes the kernel out of the image that would unpack itself."""

import lzma
import struct
import subprocess
import sys
import zlib

SETUP_SECTORS = 0x1F1  # offsets of the boot protocol's header
PAYLOAD = 0x248


def payload(image):
    sectors = image[SETUP_SECTORS] or 4
    offset, length = struct.unpack_from("<II", image, PAYLOAD)
    start = (sectors + 1) * 512 + offset
    return image[start : start + length]


def unpack(data):
    if data.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data)
    if data.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(31).decompress(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        # the kernel's build adds the unpacked size behind the data
        return subprocess.run(
            ["zstd", "-dcq"], input=data[:-4], stdout=subprocess.PIPE, check=True
        ).stdout
    sys.exit(f"the kernel is packed in an unknown way: {data[:8].hex()}")


def main():
    with open(sys.argv[1], "rb") as image:
        kernel = unpack(payload(image.read()))
    if not kernel.startswith(b"\x7fELF"):
        sys.exit("what was unpacked is no kernel")
    with open(sys.argv[2], "wb") as out:
        out.write(kernel)


main()
