"""Whether products of int8 weights are right on this CPU.

x86 CPUs without VNNI add pairs of products of 8 bits in 16 bits, where large ones do not fit. For them onnxruntime
can store weights as uint8 when it loads a graph, which is exact and slower (its `session.x64quantprecision`).
"""

from functools import cache

import numpy as np
import onnxruntime

PRODUCT = (
    b'\x08\x08:\\\n\x18\n\x01a\n\x01b\x12\x01y"\rMatMulInte'
    b"ger\x12\x01pZ\x13\n\x01a\x12\x0e\n\x0c\x08\x02\x12\x08\n\x02\x08\x01\n\x02\x08\x02"
    b"Z\x13\n\x01b\x12\x0e\n\x0c\x08\x03\x12\x08\n\x02\x08\x02\n\x02\x08\x01b\x13\n\x01y\x12"
    b"\x0e\n\x0c\x08\x06\x12\x08\n\x02\x08\x01\n\x02\x08\x01B\x04\n\x00\x10\n"
)
"""An ONNX model of one MatMulInteger: `y[1, 1] = a[1, 2] b[2, 1]`, of uint8 and int8."""


@cache
def int8_overflows() -> bool:
    """Whether this CPU gets the largest product of uint8 and int8 wrong; found by trying."""
    largest = {"a": np.full((1, 2), 255, np.uint8), "b": np.full((2, 1), 127, np.int8)}
    (found,) = onnxruntime.InferenceSession(PRODUCT, providers=["CPUExecutionProvider"]).run(["y"], largest)
    return int(found[0, 0]) != 2 * 255 * 127
