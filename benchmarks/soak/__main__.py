"""Fuzz and faults: hostile ids, folders and files, damage, kills, full disks, two writers.

    python -m benchmarks.soak                                all parts, as large as they are
    python -m benchmarks.soak decoders --seed 0 --count 1000 --jobs 2

A seed decides all of a trial; ranges of seeds make a row each in results/soak.jsonl, with a count
of every outcome, and a range that has its row without a failure is not run again. Every failure is
printed with its seed, and the exit status is 1. Parts: {parts}.
"""
