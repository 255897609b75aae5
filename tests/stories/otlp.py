# SPDX-License-Identifier: Apache-2.0
"""OpenTelemetry's spans as bytes on the wire, written by hand so that they can be wrong on purpose."""
import struct


def varint(number):
    out = b""
    number &= (1 << 64) - 1
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    """bytes and text are length-delimited, integers varints, floats and (n,) fixed 64 bits."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, tuple):
        return varint(number << 3 | 1) + struct.pack("<Q", value[0])
    return varint(number << 3) + varint(value)


def any_value(value):
    if value is None:
        return b""
    if isinstance(value, bool):
        return field(2, int(value))
    if isinstance(value, str):
        return field(1, value)
    if isinstance(value, int):
        return field(3, value)
    if isinstance(value, float):
        return field(4, value)
    if isinstance(value, bytes):
        return field(7, value)
    if isinstance(value, (list, tuple)):
        return field(5, b"".join(field(1, any_value(v)) for v in value))
    return field(6, b"".join(field(1, pair(k, v)) for k, v in value.items()))


def pair(key, value):
    return field(1, key) + field(2, any_value(value))


def span(trace, number, name="work", parent=None, start=1_700_000_000_000, took=1000, status=1, events=(), links=(), message="", **more):
    """One Span; ids are integers, times milliseconds. attributes={} and raw=b"" go in as they are."""
    out = field(1, trace if isinstance(trace, bytes) else trace.to_bytes(16, "big"))
    out += field(2, number if isinstance(number, bytes) else number.to_bytes(8, "big"))
    if parent is not None:
        out += field(4, parent if isinstance(parent, bytes) else parent.to_bytes(8, "big"))
    out += field(5, name) + field(6, 1) + field(7, (start * 1_000_000,)) + field(8, ((start + took) * 1_000_000,))
    out += b"".join(field(9, pair(k, v)) for k, v in more.get("attributes", {}).items())
    out += b"".join(field(11, field(1, (start * 1_000_000,)) + field(2, e) + field(3, pair("why", "it did"))) for e in events)
    out += b"".join(field(13, field(1, t.to_bytes(16, "big")) + field(2, s.to_bytes(8, "big"))) for t, s in links)
    return out + field(15, field(2, message) + field(3, status)) + more.get("raw", b"")


def request(*spans):
    return field(1, field(1, field(1, pair("service.name", "tests"))) + field(2, b"".join(field(2, s) for s in spans)))


def name_of(trace):
    return f"tr-{trace:032x}"
