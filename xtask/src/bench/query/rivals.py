"""Statements for DuckDB or SQLite, one a line on standard input as JSON text; the answer is a line of
JSON: the seconds from the statement to its last row, and the rows.

    rivals.py duckdb FOLDER THREADS   tables of a Parquet export
    rivals.py sqlite FILE < CSV, statements   a table calls of function_id, start, duration

The first line on standard input of sqlite is how many lines of CSV follow."""

import itertools
import json
import sys
import time


def duckdb(folder, threads):
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"set threads = {int(threads)}")
    # It would be printed between the answers.
    connection.execute("set enable_progress_bar = false")
    for table in ("calls", "functions"):
        connection.execute(f"create view {table} as select * from '{folder}/{table}/*.parquet'")
    return lambda statement: connection.execute(statement).fetchall()


def sqlite(file):
    import sqlite3

    connection = sqlite3.connect(file)
    connection.execute("pragma journal_mode = off")
    connection.execute("create table calls (function_id integer, start integer, duration integer)")
    lines = itertools.islice(sys.stdin, int(sys.stdin.readline()))
    rows = ([int(cell) if cell else None for cell in line.rstrip("\n").split(",")] for line in lines)
    connection.executemany("insert into calls values (?, ?, ?)", rows)
    connection.execute("create index by_function on calls (function_id, duration)")
    connection.execute("create index by_start on calls (start, function_id, duration)")
    connection.execute("analyze")
    connection.commit()
    return lambda statement: connection.execute(statement).fetchall()


ask = {"duckdb": duckdb, "sqlite": sqlite}[sys.argv[1]](*sys.argv[2:])
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    begun = time.perf_counter()
    rows = ask(json.loads(line))
    passed = time.perf_counter() - begun
    print(json.dumps({"seconds": passed, "rows": rows}), flush=True)
