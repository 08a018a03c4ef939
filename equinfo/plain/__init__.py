"""The ideas of equinfo in plain Python integers, to be read in ten minutes, a file each:

arithmetic.py   a text under a model's frequencies becomes bits, and comes back
windows.py      text cut into windows of b bits that can each be read alone
rules.py        five other rules for windows, two of them the paper's
codebook.py     text as strings of a list: the longest that fits, or as few as possible
network.py      the network of integers that says what byte comes next

They are slow and say what is right: the fast code of `equinfo.compress` must agree with them to the
bit, and tests see to it. Nothing in equinfo imports them. A model is here a function of the bytes
so far, `row(prefix)`: 257 frequencies of what comes next, each at least 1, with a power of two as
their sum. Number 256 is the end of a document.
"""
