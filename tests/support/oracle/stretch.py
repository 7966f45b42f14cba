"""Windows that the events of a key open and close: sessions and `until`.

Naive: all entries of a key that are not of a window that is over are cut anew
whenever somebody asks.
"""


class Stretch:
    """One window: its entries, and what closed it."""

    def __init__(self, start, end, entries, close=None):
        self.start, self.end = start, end
        self.entries, self.close = entries, close

    def __str__(self):
        return str(self.start)


def sessions(entries, gap, most):
    out = []
    for entry in entries:
        last = out[-1] if out else None
        if last and entry.time <= last.end:
            last.entries.append(entry)
        else:
            last = Stretch(entry.time, None, [entry])
            out.append(last)
        last.end = entry.time + gap
        if most is not None:
            last.end = min(last.end, last.start + most)
    return out


def untils(entries, closes, most):
    """In order; what closes nothing stands there as one without entries."""
    out = []
    entries, closes = list(entries), list(closes)
    while entries or closes:
        if closes and (not entries or closes[0].time < entries[0].time):
            close = closes.pop(0)
            out.append(Stretch(close.time, close.time, [], close))
            continue
        start = entries[0].time
        end, close = start + most, None
        if closes and closes[0].time <= end:
            close = closes.pop(0)
            end = close.time
        inside = [e for e in entries if e.time <= end]
        out.append(Stretch(start, end, inside, close))
        entries = entries[len(inside):]
        closes = [c for c in closes if c.time > end]
    return out


def cut(rule, key):
    if rule.window == "session":
        return sessions(key.entries, rule.gap, rule.width)
    return untils(key.entries, key.closes, rule.width)


def at(rule, key, time):
    """The window that @time lies in, or None."""
    for window in cut(rule, key):
        if window.entries and window.start <= time <= window.end:
            return window
    return None


def drop(key, window):
    """Forgets a window that is over, and all before it."""
    key.over = window.end
    key.entries = [e for e in key.entries if e.time > window.end]
    key.closes = [c for c in key.closes if c.time > window.end]


def forgotten(rule, key, now):
    """Nothing of the key could matter any more."""
    reach = rule.gap if rule.window == "session" else rule.width
    last = max(key.clock, key.over if key.over is not None else key.clock)
    return not key.entries and not key.closes and last + reach + 1 <= now


def stays(a, b):
    """Which life goes on when their windows were joined: a?"""
    (start_a, a), (start_b, b) = a, b
    if a.firing != b.firing:
        return a.firing
    if not a.firing:
        return (a.changed or 0) > (b.changed or 0)
    return (a.fired_at, start_a) < (b.fired_at, start_b)
