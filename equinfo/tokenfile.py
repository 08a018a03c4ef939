"""Token files: what `equinfo encode` writes. Self-describing, whole or refused.

Layout, little-endian: 8 bytes magic, u32 length of a JSON header, the header {tokenizer, name, dtype, num_ids,
num_bytes}, the ids (codes only, in the narrowest of uint8, uint16, uint32), SHA-256 of all that comes before.
"""

import hashlib
import json
import struct
from typing import Any

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer

MAGIC = b"equinfo\x01"
DIGEST = 32
DTYPES = {"uint8": "<u1", "uint16": "<u2", "uint32": "<u4"}
FIELDS = {"tokenizer", "name", "dtype", "num_ids", "num_bytes"}


def code_dtype(code_size: int) -> np.dtype:
    """The narrowest unsigned type that holds codes 0 .. code_size-1."""
    return np.dtype("<u1" if code_size <= 1 << 8 else "<u2" if code_size <= 1 << 16 else "<u4")


def to_bytes(tokenizer: Tokenizer, ids: np.ndarray, num_bytes: int) -> bytes:
    """The file's content for the ids of one document of `num_bytes` bytes."""
    dtype = code_dtype(tokenizer.code_size)
    header = json.dumps(
        {
            "tokenizer": tokenizer.fingerprint,
            "name": tokenizer.name,
            "dtype": dtype.name,
            "num_ids": len(ids),
            "num_bytes": num_bytes,
        }
    ).encode()
    content = MAGIC + struct.pack("<I", len(header)) + header + ids.astype(dtype).tobytes()
    return content + hashlib.sha256(content).digest()


def from_bytes(tokenizer: Tokenizer, content: bytes, what: str = "the token file") -> bytes:
    """The document that `content` holds.

    Raises EquinfoError where it is no token file, cut short, altered, or of another tokenizer.
    """
    header, ids = read(content, what)
    if header["tokenizer"] != tokenizer.fingerprint:
        raise EquinfoError(
            f"{what} was written by {header['name']} {header['tokenizer'][:12]}, not by {tokenizer.name} "
            f"{tokenizer.fingerprint[:12]}: name that tokenizer"
        )
    data = tokenizer.decode(ids)
    if len(data) != header["num_bytes"]:
        raise EquinfoError(f"{what} decodes to {len(data)} bytes and promises {header['num_bytes']}")
    return data


def read(content: bytes, what: str = "the token file") -> tuple[dict[str, Any], np.ndarray]:
    """(header, ids) of a token file's content, verified. Raises EquinfoError as `from_bytes` does."""
    if not content.startswith(MAGIC):
        raise EquinfoError(f"{what} is not a token file (equinfo encode writes them)")
    if len(content) < len(MAGIC) + 4 + DIGEST or hashlib.sha256(content[:-DIGEST]).digest() != content[-DIGEST:]:
        raise EquinfoError(f"{what} was cut short or altered: its checksum does not match; encode it again")
    (length,) = struct.unpack_from("<I", content, len(MAGIC))
    body = len(MAGIC) + 4
    try:
        header = json.loads(content[body : body + length])
        ids = np.frombuffer(content[body + length : -DIGEST], dtype=DTYPES[header["dtype"]])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EquinfoError(f"{what} has a header that equinfo did not write ({error})") from error
    if not header.keys() >= FIELDS or len(ids) != header["num_ids"]:
        raise EquinfoError(f"{what} has a header that does not fit its {len(ids)} ids: encode it again")
    return header, ids
