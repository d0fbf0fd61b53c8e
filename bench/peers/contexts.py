"""Prints how many microseconds each new context with so many tables took: FILE TABLES ROUNDS."""

import json
import sys
import time

from datafusion import SessionContext

file, tables, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def assemble():
    context = SessionContext()
    for number in range(tables):
        context.register_parquet(f"t{number}", file)


assemble()
took = []
for _ in range(rounds):
    started = time.perf_counter()
    assemble()
    took.append((time.perf_counter() - started) * 1e6)
print(json.dumps(took))
