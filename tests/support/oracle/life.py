"""One alert of the oracle, and the values by which it is known to move."""

from support.oracle.expr import Missing


class Life:
    def __init__(self):
        self.firing = False
        self.level = "none"
        self.changed = None  # clock of the last fired, raised or lowered
        self.withheld = False  # a firing waits for the cooldown's end
        self.published = None
        self.values = None
        self.fired_by = None
        self.revision = 0
        self.fired_at = self.period = None  # where events open windows


def moved_by(rule, scope):
    """The measures: a let may move with the day, which is no news."""
    values = transition_values(rule, scope)
    return {name: values[name] for name in rule.measures}


def transition_values(rule, scope):
    """Measures, and lets but those of the key, by name; what is missing as
    None."""
    values = {}
    in_key = set(rule.by).union(*(p.values() for p in rule.by_of.values()))
    for name in (*rule.measures, *(n for n in rule.lets if n not in in_key)):
        value = scope.lookup(name)
        values[name] = None if isinstance(value, Missing) else value
    return values
