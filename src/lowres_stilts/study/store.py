"""The study's database: one DuckDB file with cells, counts of every example, costs and failures.

What workers write is the truth, and the database can be made from it at any time; every change is one transaction.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import duckdb
import numpy as np

from lowres_stilts.errors import RunError
from lowres_stilts.evaluation.metric import Floats
from lowres_stilts.study.plan import Cell
from lowres_stilts.study.work import ARM, COUNTS, PREFIX, SAMPLES

TABLES = """
CREATE TABLE IF NOT EXISTS cells (
    model VARCHAR, intermediate VARCHAR, target VARCHAR, size INTEGER, transfer VARCHAR, module VARCHAR,
    seed INTEGER, system VARCHAR, baseline VARCHAR);
CREATE TABLE IF NOT EXISTS arms (
    key VARCHAR PRIMARY KEY, target VARCHAR, metric VARCHAR, parameters BIGINT, weights_sha256 VARCHAR,
    about VARCHAR, samples VARCHAR);
CREATE TABLE IF NOT EXISTS phases (
    arm VARCHAR, phase VARCHAR, dev_score DOUBLE, updates INTEGER, best_update INTEGER,
    trainable_parameters BIGINT);
CREATE TABLE IF NOT EXISTS counts (
    arm VARCHAR, language VARCHAR, example INTEGER, part INTEGER, value DOUBLE);
CREATE TABLE IF NOT EXISTS costs (
    arm VARCHAR PRIMARY KEY, training_seconds DOUBLE, seconds DOUBLE, peak_memory_bytes BIGINT);
CREATE TABLE IF NOT EXISTS failures (key VARCHAR PRIMARY KEY, step VARCHAR, error VARCHAR);
"""
TIMELESS = {
    "cells": "*",
    "arms": "key, target, metric, parameters, weights_sha256, samples",
    "phases": "*",
    "counts": "*",
    "failures": "*",
}
"""The columns that are the same for the same study, whatever it went through."""


class Store:
    """An open database; a context manager."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = duckdb.connect(str(path))
            self._db.execute(TABLES)
        except duckdb.Error as error:
            raise RunError(
                f"{path}: cannot be opened: {' '.join(str(error).split())}; is another process at it?"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def set_cells(self, cells: Iterable[Cell]) -> None:
        """Puts the cells of the study as it is now in the place of all others."""
        rows = [
            (s.model, s.intermediate, s.target, s.size, s.transfer, s.module, s.seed, cell.system, cell.baseline)
            for cell in cells
            for s in [cell.setting]
        ]
        self._change(lambda: self._replace("cells", rows))

    def arms(self) -> set[str]:
        """Keys of the arms that are in."""
        return {row[0] for row in self._db.execute("SELECT key FROM arms").fetchall()}

    def add_arm(self, key: str, result: Path) -> None:
        """Takes in what a worker wrote."""
        about = json.loads((result / ARM).read_text(encoding="utf-8"))
        samples = (result / SAMPLES).read_text(encoding="utf-8")
        with np.load(result / COUNTS) as file:
            tables = {name.removeprefix(PREFIX): file[name] for name in file.files}
        phases = [
            (key, p["phase"], p["dev_score"], p["updates"], p["best_update"], p["trainable_parameters"])
            for p in about["phases"]
        ]
        cost = about["cost"]

        def change() -> None:
            for table, column in (("arms", "key"), ("phases", "arm"), ("counts", "arm"), ("costs", "arm")):
                self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", [key])
            arm = [key, about["target"], about["metric"], about["parameters"]["without_embeddings"]]
            self._insert("arms", [(*arm, about["weights_sha256"], json.dumps(about), samples)])
            self._insert("phases", phases)
            self._insert("costs", [(key, cost["training_seconds"], cost["seconds"], cost["peak_memory_bytes"])])
            for language, table in tables.items():
                self._insert_counts(key, language, table)

        self._change(change)

    def set_failures(self, failures: Mapping[str, tuple[str, str]]) -> None:
        """Puts what failed, a step's title and error by its key, in the place of all others."""
        rows = [(key, step, error) for key, (step, error) in sorted(failures.items())]
        self._change(lambda: self._replace("failures", rows))

    def rows(self, query: str, values: Iterable[Any] = ()) -> list[dict[str, Any]]:
        """What a query finds, each row by column."""
        found = self._db.execute(query, list(values))
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def counts(self, arm: str) -> dict[str, Floats]:
        """Counts `[examples, parts]` of an arm by language."""
        columns = self._db.execute(
            "SELECT language, example, part, value FROM counts WHERE arm = ?", [arm]
        ).fetchnumpy()
        tables = {}
        for language in dict.fromkeys(columns["language"].tolist()):
            chosen = columns["language"] == language
            examples, parts = columns["example"][chosen], columns["part"][chosen]
            table = np.zeros((int(examples.max()) + 1, int(parts.max()) + 1))
            table[examples, parts] = columns["value"][chosen]
            tables[str(language)] = table
        return tables

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that is the same for the same study, in one order: what two stores are compared by."""
        return {
            table: sorted(self._db.execute(f"SELECT {columns} FROM {table}").fetchall(), key=repr)
            for table, columns in TIMELESS.items()
        }

    def _change(self, change: Any) -> None:
        try:
            self._db.begin()
            change()
            self._db.commit()
        except duckdb.Error as error:
            self._db.rollback()
            raise RunError(f"the study's database cannot be written: {' '.join(str(error).split())}") from error

    def _replace(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        self._db.execute(f"DELETE FROM {table}")
        self._insert(table, rows)

    def _insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def _insert_counts(self, arm: str, language: str, table: Floats) -> None:
        examples, parts = np.indices(table.shape)
        columns = {"e": examples.ravel(), "p": parts.ravel(), "v": table.ravel()}
        self._db.register("columns_of_counts", columns)
        self._db.execute("INSERT INTO counts SELECT ?, ?, e, p, v FROM columns_of_counts", [arm, language])
        self._db.unregister("columns_of_counts")
