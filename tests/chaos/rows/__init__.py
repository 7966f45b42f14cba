"""The rows of the table of faults, each a function of a Run."""

import importlib
import os

HERE = os.path.dirname(os.path.abspath(__file__))

ROWS = {}  # name: function, in the order in which they run


def row(name, needs_kafka=False):
    """A row of the table; @needs_kafka: real brokers, a JVM each."""
    def add(function):
        assert name not in ROWS, name
        function.needs_kafka = needs_kafka
        ROWS[name] = function
        return function

    return add


def load():
    for module in sorted(f[:-3] for f in os.listdir(HERE)
                         if f.endswith(".py") and f[0] != "_"):
        importlib.import_module("rows." + module)
    return ROWS
