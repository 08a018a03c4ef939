"""Ids pinned by value: a change here is a change of format, and breaks every stored stream.

Networks are pinned elsewhere: tests/compress/test_integer.py, by benchmarks/golden_networks.py.
"""

import pytest
import sentencepiece
from tokenizer_zoo import make

TEXT = "In the beginning, in the beginning: naïve.\n"

# fmt: off
IDS = {
    "bytes": list(TEXT.encode()),
    "bpe": [
        40, 77, 260, 521, 267, 77, 313, 11, 291, 260, 521, 267, 77, 313, 25, 301, 64, 127, 107, 323,
        13,
        198,
    ],
    "gzip8": [
        120, 156, 243, 204, 83, 40, 201, 72, 85, 72, 74, 77, 207, 204, 203, 203, 204, 75, 215, 81,
        200,
        68, 19, 177, 82, 200, 75, 60, 188, 190, 44, 85, 143, 11, 0, 95, 218, 15, 237,
    ],
    "gzip12": [
        1929, 3315, 3269, 808, 3220, 2133, 1156, 2637, 3324, 3275, 3260, 3147, 3445, 456, 1089, 945,
        1324, 2123, 971, 3262, 709, 1423, 176, 95, 3488, 4077,
    ],
    "gzip16": [
        30876, 62412, 21288, 51528, 21832, 19021, 53196, 52171, 52299, 55121, 51268, 5041, 21192,
        19260,
        48318, 11349, 36619, 95, 55823, 60672,
    ],
    "ac-static-8": [
        63, 29, 38, 226, 136, 164, 105, 222, 86, 172, 119, 107, 225, 92, 163, 172, 9, 112, 121, 235,
        253,
        191, 87, 71, 123, 23, 214, 181, 9, 224,
    ],
    "ac-static-12": [
        1009, 3366, 3624, 2212, 1693, 3670, 2759, 1899, 3605, 3235, 2752, 2416, 1950, 3069, 3061,
        1863,
        1969, 2006, 2896, 2528,
    ],
    "ac-static-16": [
        16157, 9954, 34980, 27102, 22188, 30571, 57692, 41900, 2416, 31211, 64959, 22343, 31511,
        54965,
        2528,
    ],
    "ac-counts-8": [
        63, 37, 117, 215, 156, 52, 193, 141, 184, 29, 153, 233, 154, 116, 237, 252, 88,
    ],
    "range-counts-8": [
        0, 5, 63, 37, 127, 149, 121, 166, 152, 198, 54, 84, 219, 246, 136, 234, 182, 159, 236, 114,
        7,
        24,
    ],
    "ans-static-16": [
        8, 27639, 19746, 3883, 40054, 40857, 7787, 59629, 729, 14513, 52883, 22100, 62493, 46399,
        20156,
        1307, 19683,
    ],
    "equalinfo-static-12-12": [
        1010, 2762, 2223, 1385, 2080, 2479, 2853, 2836, 800, 2478, 3625, 301, 1829, 2479, 2853,
        2836,
        910, 2783, 4031, 4010, 3821, 871, 10,
    ],
    "equalinfo-static-16-16": [
        16169, 59777, 21974, 34116, 47171, 46446, 12993, 45204, 26702, 29529, 47171, 46446, 14563,
        17065,
        65414, 65374, 63086, 14072,
    ],
    "equalinfo-static-24-12": [
        1010, 353, 1669, 1397, 2537, 2527, 2117, 2251, 731, 653, 1846, 2327, 2535, 3468, 564, 1609,
        4092,
        703, 4090, 3753, 3951, 40, 0, 2571,
    ],
    "equalinfo-static-32-16": [
        16161, 22561, 22002, 21555, 40573, 47378, 45272, 12470, 34161, 24029, 33896, 48706, 65474,
        64438,
        65455, 61756, 14080, 47158,
    ],
    "equalinfo-static-64-16": [
        16161, 22563, 52859, 60675, 46519, 8672, 50150, 19163, 40602, 5804, 6838, 52679, 65475,
        64357,
        61453, 40668,
    ],
    "equalinfo-static-128-16": [
        16161, 22563, 52859, 60676, 55736, 27514, 5032, 26292, 47250, 47091, 41016, 22832, 42787,
        17578,
        37755, 6999,
    ],
}
# fmt: on

FINGERPRINTS = {
    "bytes": "3645b436bbb3e11af3408322633ad07bd8afb26a60d7e9a355dd0709f5a790e9",
    "gzip8": "8fa5dc0243537a31f07278623383b714b20e53f61cc4b3ee523c367949d73d2c",
    "gzip12": "98663cc6cd951892d0eb8c2fb8ae20e3d2c92c619e12066c6d450e281b596aff",
    "gzip16": "a1caeff092ca09579a2e372f4f17b2d9ee9b238c0b4bec1fc3da6396ef2637cf",
}

TRAINED_WITH = "0.2.3"


@pytest.mark.parametrize("name", IDS)
def test_ids(name):
    assert make(name).encode(TEXT).tolist() == IDS[name]


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_fingerprints_of_what_needs_no_training(name):
    assert make(name).fingerprint == FINGERPRINTS[name]


def test_unigram_bytes_are_codes_whatever_was_learnt():
    assert make("unigram").encode("▁\U0001f600").tolist() == [
        0xE2,
        0x96,
        0x81,
        0xF0,
        0x9F,
        0x98,
        0x80,
    ]


@pytest.mark.skipif(
    sentencepiece.__version__ != TRAINED_WITH, reason="pieces are learnt with that SentencePiece"
)
def test_unigram_ids_as_trained():
    """A stored model decides the ids; training one sums floats: pinned for one version."""
    assert make("unigram").encode(TEXT).tolist() == [
        560,
        288,
        257,
        283,
        312,
        354,
        288,
        309,
        256,
        270,
        257,
        283,
        312,
        354,
        288,
        309,
        271,
        259,
        288,
        286,
        195,
        175,
        599,
        267,
        262,
        260,
    ]
