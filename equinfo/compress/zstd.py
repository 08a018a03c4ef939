"""A frame of Zstandard, read in pieces."""


class ZstdFrame:
    """As zstandard's decompressobj, but the same whatever the pieces, and never of another length.

    A short frame that it is given at once, the library checks more thoroughly than one that comes
    in pieces: so it gets the header byte by byte. Of a frame that ends in an empty block it does
    not compare the length with the one in the header. window: bytes, the largest that is taken.
    """

    HEADER = 18  # bytes at most

    def __init__(self, window: int) -> None:
        import zstandard  # here: it is needed for frames alone

        self.stream = zstandard.ZstdDecompressor(max_window_size=window).decompressobj()
        self.header = b""
        self.length = 0
        self.unused_data = b""
        self.eof = False

    def decompress(self, data: bytes) -> bytes:
        """What the next bytes unpack to; zstandard.ZstdError where they are none of a frame.

        What follows its end is `unused_data`.
        """
        import zstandard

        out = []
        while data and not self.eof:
            size = len(data)
            if len(self.header) < self.HEADER:
                size = 1
                self.header += data[:1]
            out.append(self.stream.decompress(data[:size]))
            data = data[size:]
            self.length += len(out[-1])
            self.eof = self.stream.eof
        if self.eof:
            self.unused_data = self.stream.unused_data + data
            if zstandard.frame_content_size(self.header) not in (-1, self.length):
                raise zstandard.ZstdError("its length is not what its header says")
        return b"".join(out)
