"""A frame of Zstandard, read in pieces."""


class ZstdFrame:
    """As zstandard's decompressobj, with the length in the header, where there is one, checked.

    Whether the library compares it depends on how much it is given at once: a frame that ends in an
    empty block may be shorter. window: bytes, the largest that is taken.
    """

    HEADER = 18  # bytes at most

    def __init__(self, window: int) -> None:
        import zstandard  # here: it is needed for frames alone

        self.stream = zstandard.ZstdDecompressor(max_window_size=window).decompressobj()
        self.header = b""
        self.length = 0

    def decompress(self, data: bytes) -> bytes:
        """What the next bytes unpack to; zstandard.ZstdError where they are none of a frame."""
        import zstandard

        self.header = (self.header + data)[: self.HEADER]
        out = self.stream.decompress(data)
        self.length += len(out)
        if self.eof and zstandard.frame_content_size(self.header) not in (-1, self.length):
            raise zstandard.ZstdError("its length is not what its header says")
        return out

    @property
    def eof(self) -> bool:
        return self.stream.eof

    @property
    def unused_data(self) -> bytes:
        """What was given after its end."""
        return self.stream.unused_data
