"""A frame of Zstandard, read in pieces."""

import math


class ZstdFrame:
    """As zstandard's decompressobj, but the same whatever the pieces, and never of another length.

    A short frame that it is given at once, the library checks more thoroughly than one that comes
    in pieces: so it gets the header byte by byte. Of a frame that ends in an empty block it does
    not compare the length with the one in the header. window: bytes, the largest that is taken.
    """

    HEADER = 18  # bytes at most
    STEP = 64  # bytes that the library gets at once where the output is limited

    def __init__(self, window: int) -> None:
        import zstandard  # here: it is needed for frames alone

        self.stream = zstandard.ZstdDecompressor(max_window_size=window).decompressobj()
        self.header = b""
        self.length = 0
        self.unused_data = b""
        self.eof = False

    def decompress(self, data: bytes, max_length: float = math.inf) -> bytes:
        """What the next bytes unpack to; zstandard.ZstdError where they are none of a frame.

        It stops soon after `max_length` and leaves out the rest: the library would expand all, up
        to 32 KiB a byte. What follows the frame's end is `unused_data`.
        """
        import zstandard

        out = bytearray()
        at = 0
        step = len(data) if max_length == math.inf else self.STEP
        while at < len(data) and not self.eof and len(out) < max_length:
            piece = data[at : at + (1 if len(self.header) < self.HEADER else step)]
            at += len(piece)
            if len(self.header) < self.HEADER:
                self.header += piece
            out += self.stream.decompress(piece)
            self.eof = self.stream.eof
        self.length += len(out)
        if self.eof:
            self.unused_data = self.stream.unused_data + data[at:]
            if zstandard.frame_content_size(self.header) not in (-1, self.length):
                raise zstandard.ZstdError("its length is not what its header says")
        return bytes(out)
