"""The pictures by their files under docs/."""

import coding
import free_cell
import pieces
import rooms

PICTURES = {
    "how/pieces.svg": pieces.pieces,
    "how/intervals.svg": coding.intervals,
    "how/bits.svg": coding.bits,
    "how/windows.svg": coding.windows,
    "how/free-cell.svg": free_cell.lost,
    "how/matches.svg": pieces.matches,
    "how/walk.svg": pieces.walk,
    "rooms.svg": rooms.rooms,
}
