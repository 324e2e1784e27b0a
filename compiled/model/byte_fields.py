"""Big-endian unsigned fields of 32 and 16 bits in bytes, read and written."""

from typing import Final

from librt.strings import BytesWriter, read_i16_be, read_i32_be, write_i16_be, write_i32_be
from mypy_extensions import i16, i32, i64

U32: Final[i64] = 0xFFFFFFFF


def put_u32(out: BytesWriter, value: i64) -> None:
    """Append a value, cut to 32 bits."""
    value = max(0, min(value, U32))
    # librt writes signed words only; the upper half of the unsigned range is its negative one.
    write_i32_be(out, i32(value if value < 0x80000000 else value - 0x100000000))


def put_u16(out: BytesWriter, value: i64) -> None:
    """Append a value, cut to 16 bits."""
    value = max(0, min(value, 0xFFFF))
    write_i16_be(out, i16(value if value < 0x8000 else value - 0x10000))


def read_u32(data: bytes, at: i64) -> i64:
    """Return the 32 bits at `at`."""
    return i64(read_i32_be(data, at)) & U32


def read_u16(data: bytes, at: i64) -> i64:
    """Return the 16 bits at `at`."""
    return i64(read_i16_be(data, at)) & 0xFFFF
