"""The peer without state: a capture mapped, walked and decoded field by field with struct, and nothing kept.

Law: what a program in Python cannot do without, if it reads every field of every RA and every DHCPv4 header; no object
of ours is built and nothing is remembered. Usage: plain.py FILE; prints how many packets it decoded.
"""

import mmap
import struct
import sys

_BLOCK = struct.Struct("<IIIIIII").unpack_from
_RA = struct.Struct("!BBHBBHII").unpack_from
_PIO = struct.Struct("!BBIII16s").unpack_from
_LIFE = struct.Struct("!I").unpack_from
_DHCP = struct.Struct("!BBBBIHH4s4s4s4s16s").unpack_from


def walk(data: mmap.mmap) -> int:
    """Decode all packets of a little-endian pcapng."""
    at, end, found = 0, len(data), 0
    while at + 28 <= end:
        kind, size, _, _, _, caplen, _ = _BLOCK(data, at)
        if kind == 6:
            found += decode(data[at + 28 : at + 28 + caplen])
        at += size
    return found


def decode(frame: bytes) -> int:
    """One packet: 1 if it was an RA or DHCPv4."""
    if frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 134:
        fields: list[object] = [frame[22:38], *_RA(frame, 54)]
        at, end = 70, len(frame)
        while at + 8 <= end:
            code, size = frame[at], frame[at + 1] * 8
            if not size:
                break
            if code == 3:
                fields += _PIO(frame, at + 2)
            elif code == 25:
                fields += [_LIFE(frame, at + 4), *(frame[one : one + 16] for one in range(at + 8, at + size, 16))]
            else:
                fields.append(frame[at + 2 : at + size])
            at += size
        return 1
    if frame[12:14] == b"\x08\0" and frame[23] == 17 and frame[36:38] in (b"\0\x43", b"\0\x44"):
        fields = [*_DHCP(frame, 42)]
        at = 42 + 240
        while at + 1 < len(frame) and frame[at] != 255:
            fields.append((frame[at], frame[at + 2 : at + 2 + frame[at + 1]]))
            at += 2 + frame[at + 1]
        return 1
    return 0


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        print(walk(mapped))
