"""Arrow's columns to and from numpy, without arrow's own way.

That first loads pandas wherever it is installed.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Number = TypeVar("Number", np.int64, np.float64)

_TYPES = {np.dtype(np.int64): pa.int64(), np.dtype(np.float64): pa.float64()}


def packed_numbers(column: pa.ChunkedArray, kind: type[Number]) -> npt.NDArray[Number]:
    """Return the numbers of a column without a gap, of this kind already."""
    array = column.combine_chunks()
    return np.frombuffer(
        array.buffers()[1], kind, len(array), array.offset * np.dtype(kind).itemsize
    )


def packed_texts(column: pa.ChunkedArray) -> npt.NDArray[np.str_]:
    """Return the texts of a column without a gap; few different ones cost little."""
    coded = column.combine_chunks().dictionary_encode()
    found: npt.NDArray[np.str_] = np.array(coded.dictionary.to_pylist(), np.str_)[
        np.from_dlpack(coded.indices)
    ]
    return found


def array_of_numbers(values: npt.NDArray[Any]) -> pa.Array:
    """Return numpy's int64 or float64 as an arrow array."""
    packed = np.ascontiguousarray(values)
    return pa.Array.from_buffers(_TYPES[packed.dtype], len(packed), [None, pa.py_buffer(packed)])


def array_of_texts(values: Sequence[str]) -> pa.Array:
    """Return texts as an arrow array."""
    encoded = [value.encode() for value in values]
    ends = np.fromiter(accumulate(map(len, encoded), initial=0), np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(encoded), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    )
