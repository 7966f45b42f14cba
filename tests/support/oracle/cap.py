"""Which key a rule gives up at its cap, looked for among all of them."""

from collections import Counter


def victim(rule):
    """The oldest without a firing alert, of the first part of the key that
    has most keys; where all ring, the oldest of those."""
    parts = 1 if len(rule.by) > 1 else 0
    sizes = Counter(values[:parts] for values in rule.keys)
    quiet = [key for key in rule.keys.values()
             if not any(life.firing for life in key.alerts.values())]
    return min(quiet or rule.keys.values(), key=lambda key: (
        -sizes[key.values[:parts]], key.clock, key.ordinal))
