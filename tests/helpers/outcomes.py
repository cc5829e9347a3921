"""Outcomes with other records, and the texts of a table's cells."""

import dataclasses


def with_record(outcome, **changes):
    """The outcome with values of its record replaced."""
    return dataclasses.replace(outcome, record=dataclasses.replace(outcome.record, **changes))


def rows_of(table):
    return [[entry.text for entry in row] for row in table.rows]


def column_of(table, start):
    """Entries of the only column whose heading begins so."""
    (at,) = [i for i, name in enumerate(table.header) if name.startswith(start)]
    return [row[at] for row in table.rows]


def texts_of(table, start):
    return [entry.text for entry in column_of(table, start)]
