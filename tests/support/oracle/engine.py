"""The engine of the oracle: records and decisions in, transitions out."""

import bisect
import functools
import heapq
import itertools
import json
import re
from datetime import datetime, timedelta
from fractions import Fraction

from support.oracle import stretch, Unsupported
from support.oracle.cap import victim
from support.oracle.events import DAY, Refused, StreamTable, span
from support.oracle.expr import (Missing, Money, Scope, Time, evaluate,
                                 half_even, names, num, parse)
from support.oracle.life import Life, moved_by, transition_values

LEVELS = ["none", "green", "yellow", "orange", "red"]
KINDS = {"exit": 0, "cooldown": 1, "every": 2, "period": 3, "review": 4,
         "values": 5}
NEVER = -2 ** 63
ONE_DAY = timedelta(days=1)
FIRST_DAY = datetime(1970, 1, 1).toordinal()


class Measure:
    """One aggregate call of a rule: which events, what of them."""

    def __init__(self, rule, name, spec):
        self.name = name
        if isinstance(spec, str):
            spec = {"agg": spec}
        self.by = spec.get("by")
        tree = parse(spec["agg"])
        if tree[0] != "call":
            raise Unsupported(f"measure {spec['agg']}")
        self.function, args = tree[1], tree[2]
        self.x = self.condition = self.k = self.weight = None
        self.alias = None
        if self.function in ("count_if", "share"):
            self.condition = args[0]
        elif self.function == "sum_if":
            self.x, self.condition = args
        elif self.function == "count":
            if args:
                self.alias = args[0][1]
        elif self.function == "lowest":
            self.x, self.k = args[0], evaluate(args[1], None)
        elif self.function in ("hhi", "top_share") and len(args) == 2:
            self.x, self.weight = args
        elif len(args) == 1:
            self.x = args[0]
        else:
            raise Unsupported(f"measure {spec['agg']}")
        for part in (self.x, self.condition):
            for alias in rule.aliases:
                if part and rule.several and alias in names(part):
                    self.alias = alias
        self.currency = rule.currency_of(self.x) if self.x else None

    def contribution(self, entry):
        """What an event gives; computed once, when it is folded."""
        scope = EventScope(entry)
        if self.alias and entry.alias != self.alias:
            return None
        truth = True
        if self.condition:
            truth = evaluate(self.condition, scope)
            if isinstance(truth, Missing):
                return None
        x = None
        if self.x:
            x = evaluate(self.x, scope)
            if isinstance(x, Missing):
                return None
        if self.weight:
            weight = evaluate(self.weight, scope)
            if isinstance(weight, Missing):
                return None
            x = x, weight
        return x, truth

    def over(self, entries):
        """The value over entries in the order of (time, coordinates)."""
        given = [entry.given[id(self)] for entry in entries]
        given = [g for g in given if g is not None]
        values = [x for x, truth in given if truth is True]
        n = len(values)
        f = self.function
        if f in ("count", "count_if"):
            return n
        if f == "share":
            return n / len(given) if given else Missing("empty")
        if f in ("sum", "sum_if"):
            return self._sum(values)
        if f == "distinct":
            return len(set(values))
        if f == "streak":
            run = 0
            for x in reversed(values):
                if x != values[-1]:
                    break
                run += 1
            return run
        if f == "max_similar":
            return max_similar(values)
        if f == "max_repeat":
            return max((values.count(x) for x in set(values)), default=0)
        if not values:
            return Missing("empty")
        if f in ("hhi", "top_share"):
            return concentration(values if self.weight else
                                 [(x, 1) for x in values], f == "hhi")
        if f == "transitions":
            return sum(a != b for a, b in zip(values, values[1:]))
        if f == "first":
            return values[0]
        if f in ("last", "latest"):
            return values[-1]
        if f in ("min", "max"):
            key = (lambda m: m.minor) if isinstance(values[0], Money) \
                else None
            return (min if f == "min" else max)(values, key=key)
        if f == "lowest":
            ranked = sorted(values, key=number)
            return ranked[self.k - 1] if self.k <= n else Missing("empty")
        if f in ("cv", "gap_cv"):
            return variation([number(v) for v in values], f == "gap_cv")
        if f in ("mean", "median"):
            exact, wrap = unwrap(values)
            return wrap(mean(exact) if f == "mean" else median(exact))
        raise Unsupported(f"aggregate {f}")

    def _sum(self, values):
        if self.currency:
            return Money(sum(v.minor for v in values), self.currency)
        return sum(values)


def concentration(pairs, squared):
    """Of (value, weight): the sum of squared shares, or the greatest share."""
    weights = {}
    for value, weight in pairs:
        weights[value] = weights.get(value, 0) + number(weight)
    weights = [w for w in weights.values() if w > 0]
    if not weights:
        return Missing("zero")
    if squared:
        return float(sum(w * w for w in weights) / Fraction(sum(weights)) ** 2)
    return float(max(weights) / Fraction(sum(weights)))


def distance(a, b):
    """Levenshtein, by the whole matrix."""
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        rows.append([i])
        for j, y in enumerate(b, 1):
            rows[i].append(min(rows[i - 1][j] + 1, rows[i][j - 1] + 1,
                               rows[i - 1][j - 1] + (x != y)))
    return rows[-1][-1]


def similar(a, b):
    longer = max(len(a), len(b))
    return (longer - distance(a, b)) / longer if longer else 1.0


def max_similar(texts):
    if not texts or len(texts[-1]) > 256:
        return Missing("error")
    steps, found = 0, []
    for other in texts[-2::-1][:64]:
        if len(other) > 256:
            continue
        steps += len(texts[-1]) * len(other)
        if steps > 2 ** 17:
            break
        found.append(similar(texts[-1], other))
    return max(found, default=Missing("previous"))


def unwrap(values):
    """Exact fractions of values, and the way back to their type."""
    if isinstance(values[0], Money):
        currency = values[0].currency
        return [Fraction(v.minor) for v in values], \
            lambda f: Money(half_even(f), currency)
    if isinstance(values[0], int):
        return [Fraction(v) for v in values], half_even
    return [Fraction(v) for v in values], float


def number(value):
    return Fraction(value.minor if isinstance(value, Money) else value)


def variation(values, of_steps):
    """stdev / mean of values, or of the steps between them when sorted."""
    if of_steps:
        values = sorted(values)
        values = [b - a for a, b in zip(values, values[1:])]
    if len(values) < 2:
        return Missing("empty")
    middle = mean(values)
    if not middle:
        return Missing("zero")
    variance = sum((v - middle) ** 2 for v in values) / (len(values) - 1)
    return float(variance) ** 0.5 / float(middle)


def mean(values):
    return sum(values, Fraction(0)) / len(values)


def median(values):
    """Hyndman-Fan type 7, which for the median is everybody's."""
    values = sorted(values)
    middle = len(values) // 2
    if len(values) % 2:
        return values[middle]
    return (values[middle - 1] + values[middle]) / 2


def quantile(values, p):
    """Hyndman-Fan type 7."""
    values = sorted(values)
    rank = (len(values) - 1) * Fraction(p)
    low = values[int(rank)]
    if rank.denominator == 1:
        return low
    return low + (values[int(rank) + 1] - low) * (rank - int(rank))


class Baseline:
    """What some values that are not of now say of the middle and spread."""

    def __init__(self, rule, name, spec, known):
        known = known | {"of", "over", "stat", "min_samples", "min_spread"}
        if set(spec) - known:
            raise Unsupported(f"baseline with {set(spec) - known}")
        self.name = name
        self.rule = rule
        self.stat = spec.get("stat", "median_mad")
        self.min_samples = int(spec.get("min_samples", 1))
        self.min_spread = float(spec.get("min_spread", 0.05))

    def values(self, scope):
        """What it is made of."""
        raise NotImplementedError

    def periods(self):
        """How many past periods of the key it may ask for."""
        return 0

    def _judge(self, values):
        """(mid, spread), and the quartiles aside"""
        exact, wrap = unwrap(values)
        if self.stat == "mean_sd":
            mid = mean(exact)
            squares = sum((x - mid) ** 2 for x in exact)
            spread = float(squares / (len(exact) - 1)) ** 0.5 \
                if len(exact) > 1 else Missing("empty")
        else:
            mid = median(exact)
            spread = None
            if self.stat == "iqr":
                self.quartiles = quantile(exact, 0.25), quantile(exact, 0.75)
                spread = float(self.quartiles[1] - self.quartiles[0])
            if self.stat == "median_mad":
                spread = 1.4826 * float(median([abs(x - mid)
                                                for x in exact]))
            elif self.stat not in ("iqr", "median"):
                raise Unsupported(f"stat {self.stat}")
        mid = wrap(mid)
        if isinstance(mid, Money) and isinstance(spread, float):
            spread /= 10 ** 2
        return mid, spread

    def _is_young(self, values):
        return len(values) < self.min_samples or not values

    def part(self, scope, name):
        values = self.values(scope)
        if name == "n":
            return len(values)
        if self._is_young(values):
            return Missing("young")
        mid, spread = self._judge(values)
        if name == "mid":
            return mid
        if spread is None:
            raise Unsupported(f".{name} of stat {self.stat}")
        if name == "spread":
            return spread
        raise KeyError(name)

    def call(self, scope, name, args):
        values = self.values(scope)
        if self._is_young(values):
            return Missing("young")
        if name == "q":
            exact, wrap = unwrap(values)
            return wrap(quantile(exact, Fraction(repr(args[0]))))
        mid, spread = self._judge(values)
        if isinstance(spread, Missing):
            return spread
        middle = num(mid)
        least = max(spread, self.min_spread * abs(middle))
        if name == "z":
            if least == 0:
                return Missing("spread")
            return (num(args[0]) - middle) / least
        if name in ("lo", "hi"):
            if self.stat == "iqr":
                middle = float(self.quartiles[name == "hi"])
                middle /= 10 ** 2 if isinstance(mid, Money) else 1
            value = middle + (least if name == "hi" else -least) * \
                float(args[0])
            if isinstance(mid, Money):
                return Money(half_even(Fraction(value) * 100), mid.currency)
            if isinstance(mid, int):
                return half_even(Fraction(value))
            return value
        raise KeyError(name)


class PastBaseline(Baseline):
    """Past periods of a measure of a calendar window."""

    def __init__(self, rule, name, spec):
        super().__init__(rule, name, spec, {"only", "align", "empty"})
        self.of = rule.measure(spec["of"])
        self.over = int(spec["over"])
        self.only = spec.get("only")
        aligns = self.of.function in ("count", "count_if", "sum", "sum_if")
        self.align = spec.get("align", "workday" if aligns else "whole")
        self.empty = spec.get("empty", "skip")

    def periods(self):
        if self.only == "same_month":
            return self.over * 12
        if self.only == "same_quarter":
            return self.over * 4 if self.rule.unit == "quarter" \
                else (self.over + 2) // 3 * 12 + 2
        return self.over

    def past(self, key, first, now):
        """The totals of the past periods that count, newest first."""
        rule, calendar = self.rule, self.rule.calendar
        unit = rule.unit
        last_day = calendar.next_first_day(unit, first) - ONE_DAY
        n = calendar.workday_number(unit, min(calendar.date(now), last_day))
        out = []
        past, seen = first, 0
        earliest = min(key.periods, default=first)
        while seen < self.over and (past > earliest
                                    or self.empty == "zero"):
            past = calendar.previous_first_day(unit, past)
            if self.only == "same_month" and past.month != first.month:
                continue
            if self.only == "same_quarter" and \
                    (past.month - 1) // 3 != (first.month - 1) // 3:
                continue
            seen += 1
            entries = key.periods.get(past)
            if entries is None:
                if self.empty == "zero":
                    out.append((past, self.of.over([])))
                continue
            if self.align == "workday":
                entries = [e for e in entries if calendar.workday_number(
                    unit, calendar.date(e.time)) <= n]
            value = self.of.over(entries)
            if not isinstance(value, Missing):
                out.append((past, value))
        return out

    def values(self, scope):
        return [value for _, value in
                self.past(scope.key, scope.period, scope.now)]


class PeersBaseline(Baseline):
    """The values of other events that have some fields in common, or of
    the periods of other keys.

    cohorts: (names, their values) -> [clock, [(time, value, group), ...]]
    """

    MOST = 4096  # beyond it, values stand for others

    def __init__(self, rule, name, spec):
        super().__init__(rule, name, spec,
                         {"peers", "fallback", "exclude_same"})
        self.of = spec["of"]
        self.measure = rule.measures.get(self.of)
        if self.measure and not (rule.unit or rule.opens):
            raise Unsupported("peers of a measure that never ends")
        self.over = span(spec["over"])
        self.circles = [tuple(names) for names in
                        [spec["peers"], *spec.get("fallback", [])]]
        self.same = tuple(spec.get("exclude_same", []))
        self.cohorts = {}

    @staticmethod
    def _tuple(scope, names):
        """Their values, or None if one of them is missing."""
        out = tuple(scope.lookup(name) for name in names)
        return None if any(isinstance(v, Missing) for v in out) else out

    def _keys(self, scope):
        for names in self.circles:
            values = self._tuple(scope, names)
            if values is not None:
                yield names, values

    def _advance(self, cohort, time):
        cohort[0] = max(cohort[0], time)
        cohort[1] = [v for v in cohort[1] if v[0] > cohort[0] - self.over]

    def fold(self, scope, time, watermark):
        """An event of these cohorts is there, and not yet judged."""
        for key in self._keys(scope):
            cohort = self.cohorts.get(key)
            if cohort is None:
                continue
            end = max((v[0] + self.over for v in cohort[1]),
                      default=cohort[0])
            if end <= watermark:
                del self.cohorts[key]
            else:
                self._advance(cohort, time)

    def enter(self, scope, time):
        """… and now it was judged."""
        if not self.measure:
            self._put(scope, time, scope.lookup(self.of))

    def close(self, last, entries, end):
        """A window is over, and judged."""
        if self.measure and entries:
            self._put(EventScope(last), end, self.measure.over(entries))

    def _put(self, scope, time, value):
        group = self._tuple(scope, self.same)
        if isinstance(value, Missing) or group is None:
            return
        for key in self._keys(scope):
            cohort = self.cohorts.setdefault(key, [time, []])
            self._advance(cohort, time)
            if time > cohort[0] - self.over:
                cohort[1].append((time, value, group))
            if len(cohort[1]) > self.MOST:
                raise Unsupported("so many peers")

    def look(self, event, due):
        """(fields of the cohort or None, fields left out, values); at a
        timer its time moves the clocks of all it looks at."""
        group = self._tuple(event, self.same)
        without = dict(zip(self.same, (event.lookup(n) for n in self.same)))
        values = []
        for names in self.circles if group is not None else []:
            part = self._tuple(event, names)
            cohort = self.cohorts.get((names, part))
            values = []
            if cohort is None:
                continue
            if due is not None:
                self._advance(cohort, due)
            values = [v for _, v, g in cohort[1]
                      if not self.same or g != group]
            if not self._is_young(values):
                return dict(zip(names, part)), without, values
        return None, without, values

    def values(self, scope):
        return scope.peers[self.name][2]


class Entry:
    """An event as a rule keeps it."""

    __slots__ = ("event", "time", "order", "rule", "alias", "given", "late",
                 "cached", "element", "place")

    def __init__(self, rule, alias, event, late, element=None, place=None):
        self.rule = rule
        self.alias = alias
        self.event = event
        self.time = event.time
        self.order = event.time, event.coordinates
        self.late = late
        self.element = element  # of `each`, and its place in the list
        self.place = place
        self.given = {}
        self.cached = {}


class EventScope(Scope):
    """Names that need only the event: fields, params, lets, tables. A judging
    looks into tables @anew, as they may have got another text."""

    def __init__(self, entry, anew=False):
        self.entry = entry
        self.rule = entry.rule
        self.anew = anew

    def lookup(self, name):
        entry, rule = self.entry, self.rule
        if name in rule.event_lets:
            if self.anew or name in rule.by_rows:  # a row may have come
                return evaluate(rule.event_lets[name], self)
            if name not in entry.cached:
                entry.cached[name] = evaluate(rule.event_lets[name], self)
            return entry.cached[name]
        if name in rule.package.macros:
            return evaluate(parse(rule.package.macros[name]), self)
        if name in rule.by_of:
            part = rule.by_of[name].get(entry.alias, name)
            if part != name:
                return self.lookup(part)
        if name == rule.each_as and entry.place is not None:
            return entry.element
        if name in entry.event.fields:
            return entry.event.fields[name]
        if any(name in s.fields for s in rule.aliases.values()):
            return Missing("alias")
        raise KeyError(name)

    def member(self, tree, name):
        if tree == ("name", "params"):
            return self.rule.params[name]
        if tree[0] == "name" and tree[1] in self.rule.aliases \
                and self.rule.several:
            if tree[1] != self.entry.alias:
                return Missing("alias")
            return self.entry.event.fields[name]
        if tree == ("name", "lists"):
            return self.rule.package.lists[name]
        raise KeyError(name)

    def call(self, name, args):
        return self.rule.call(name, args, self.entry.time)


class JudgeScope(Scope):
    """All names of alert_if and level, at one judging."""

    def __init__(self, rule, key, period, now, entry, timer, close=None):
        self.rule, self.key, self.period = rule, key, period
        self.now, self.entry = now, entry
        self.close = close  # the entry of what closed the window
        self.event = EventScope(entry, anew=True) if entry else None
        self.cached = {}
        # Looked at once: when others have entered they say something else.
        self.peers = {b.name: b.look(self.event, now if timer else None)
                      for b in rule.peers}

    def lookup(self, name):
        if name in self.cached:
            return self.cached[name]
        value = self._lookup(name)
        self.cached[name] = value
        return value

    def _lookup(self, name):
        rule = self.rule
        if name == "now":
            return Time(self.now)
        if name in rule.measures:
            return rule.value_of(rule.measures[name], self.key, self.period)
        if name in rule.event_lets or name not in rule.lets:
            if name in rule.package.macros and \
                    rule.needs_judging(parse(rule.package.macros[name])):
                return evaluate(parse(rule.package.macros[name]), self)
            return self.event.lookup(name)
        return evaluate(rule.lets[name], self)

    def member(self, tree, name):
        if tree[0] == "name" and tree[1] in self.rule.baselines:
            return self.rule.baselines[tree[1]].part(self, name)
        if tree == ("name", self.rule.close_alias):
            return self.close.event.fields[name] if self.close \
                else Missing("alias")
        return self.event.member(tree, name)

    def method(self, tree, name, args):
        if tree[0] == "name" and tree[1] in self.rule.baselines:
            return self.rule.baselines[tree[1]].call(self, name, args)
        raise KeyError(name)

    def call(self, name, args):
        return self.rule.call(name, args, self.now)


class Key:
    """The state of one key of a rule, or of a coarser one."""

    def __init__(self, ordinal, values):
        self.ordinal = ordinal
        self.values = values
        self.clock = NEVER
        self.entries = []  # of the window; sorted by (time, coordinates)
        self.periods = {}  # first day -> entries, for calendar windows
        self.closed = set()
        self.closes = []  # until: what closes windows; sorted
        self.over = None  # the end of the last window that is over
        self.entered = set()  # closed, and their values given to peers
        self.latest = {}  # measure -> ((time, coordinates), value)
        self.memory = {}  # per: event: period -> (level, clock) of the last
        self.last = None  # the last event: greatest (time, coordinates)
        self.alerts = {}  # period or None -> Life
        self.fines = []  # of a coarser key: the keys beneath it
        self.is_gone = False  # evicted


class Rule:
    KNOWN = {"rule", "title", "desc", "message", "advice", "status", "from",
             "each", "where", "by", "window", "measure", "baseline", "let",
             "alert_if", "level", "resolve_if", "per", "cooldown", "refresh",
             "review_within", "exceptions", "legal_basis", "tags", "owner",
             "runbook", "params", "evidence", "score", "tests", "late",
             "on_missing", "max_entries", "open_max", "every"}

    def __init__(self, package, spec):
        if set(spec) - self.KNOWN or spec.get("on_missing", "skip") != "skip":
            raise Unsupported(f"{spec['rule']}: {set(spec) - self.KNOWN}")
        self.package = package
        self.name = spec["rule"]
        self.full = f"{package.name}/{self.name}"
        self.params = spec.get("params", {})
        self.tables = tables_of(spec, package)
        self.several = not isinstance(spec["from"], str)
        self._streams(spec["from"])
        self._closing(spec.get("window"))
        stream = next(iter(self.aliases.values()))
        self.calendar = stream.calendar
        # Panes begin at midnight of the zone's standard time.
        self.origin = int(self.calendar.zone.utcoffset(
            datetime(2025, 1, 1)).total_seconds()) * 10 ** 6
        self.every_at = None
        if "every" in spec:
            found = re.fullmatch(r"(\d+)d at (\d\d):(\d\d)", spec["every"])
            if not found:
                raise Unsupported(f"every {spec['every']}")
            self.every_days = int(found[1])
            self.every_at = (int(found[2]) * 60 + int(found[3])) * 60000000
        self.each, _, self.each_as = spec.get("each", "").partition(" as ")
        self.where = [parse(spec["where"])] if "where" in spec else []
        self.by, self.by_of = self._by(spec.get("by", []))
        self._window(spec.get("window"))
        self.lets = {n: parse(str(t))
                     for n, t in spec.get("let", {}).items()}
        self.measures = {}
        for name, measure in spec.get("measure", {}).items():
            self.measures[name] = Measure(self, name, measure)
        self.baselines = {}
        for name, baseline in spec.get("baseline", {}).items():
            kind = PeersBaseline if "peers" in baseline else PastBaseline
            self.baselines[name] = kind(self, name, baseline)
        self.peers = [b for b in self.baselines.values()
                      if isinstance(b, PeersBaseline)]
        self.event_lets = {n: t for n, t in self.lets.items()
                           if not self.needs_judging(t)}
        tables = {n for n, t in package.tables.items()
                  if isinstance(t, StreamTable)}
        self.by_rows = {n for n, t in self.event_lets.items()
                        if names(t) & tables}
        self.alert_if = parse(str(spec["alert_if"]))
        self.level = {n: parse(str(t))
                      for n, t in spec.get("level", {}).items()}
        self.resolve_if = parse(spec["resolve_if"]) \
            if "resolve_if" in spec else None
        plain = self.once or self.window is None and "every" not in spec and \
            len(self.baselines) == len(self.peers)
        self.per_event = spec.get(
            "per", "event" if plain else "key") == "event"
        # Nothing but the event speaks.
        self.alone = self.per_event and self.window is None and \
            not self.measures
        self.cooldown = span(spec.get("cooldown",
                                      "0s" if self.per_event else "1h"))
        self.refresh = span(spec.get("refresh", "1d"))
        self.review_within = span(spec.get("review_within", "90d"))
        self.exceptions = spec.get("exceptions", [])
        self.late = spec.get("late", "amend")
        evidence = spec.get("evidence", 10)
        self.evidence = evidence.get("count", 10) \
            if isinstance(evidence, dict) else evidence
        self.keys = {}
        # A coarser key has its own state and clock: by -> {values: Key}.
        self.coarse = {}
        for measure in self.measures.values():
            if measure.by is not None:
                self.coarse.setdefault(tuple(measure.by), {})

    def _closing(self, window):
        """The stream that closes windows, if there is one."""
        self.close_alias = self.close_stream = self.close_where = None
        if not isinstance(window, dict) or "until" not in window:
            return
        until = window["until"]
        if isinstance(until, str):
            until = {"from": until}
        self.close_stream = self.package.streams[until["from"]]
        self.close_alias = until.get("as", until["from"])
        if "where" in until:
            self.close_where = parse(until["where"])

    def _streams(self, spec):
        streams = self.package.streams
        self.filters = {}
        if isinstance(spec, str):
            self.aliases = {spec: streams[spec]}
        elif isinstance(spec, list):
            self.aliases = {name: streams[name] for name in spec}
        else:
            self.aliases = {}
            for alias, source in spec.items():
                if isinstance(source, dict):
                    self.filters[alias] = parse(source["where"])
                    source = source["stream"]
                self.aliases[alias] = streams[source]

    def _by(self, spec):
        if isinstance(spec, dict):
            aliases = {*self.aliases, self.close_alias}
            return list(spec), {
                name: field if isinstance(field, dict)
                else dict.fromkeys(aliases, field)
                for name, field in spec.items()}
        return list(spec), {}

    def _window(self, spec):
        self.window = self.unit = self.width = self.pane = None
        self.slides = self.opens = self.once = False
        if spec is None:
            return
        if isinstance(spec, str):
            self.window, self.width = "sliding", span(spec)
            self.slides = True
        elif set(spec) == {"sliding", "panes"}:
            self.window, self.width = "sliding", span(spec["sliding"])
            self.pane = self.width // int(spec["panes"])
            self.slides = True
        elif "calendar" in spec and set(spec) <= {"calendar", "judge"}:
            self.window, self.unit = "calendar", spec["calendar"]
            self.once = spec.get("judge", "each") == "close"
        elif "session" in spec:
            self.window, self.opens = "session", True
            self.gap = span(spec["session"])
            self.width = span(spec["max"]) if "max" in spec else None
        elif "until" in spec:
            self.window, self.opens = "until", True
            self.width = span(spec["max"])
            self.once = spec.get("judge", "close") == "close"
        else:
            raise Unsupported(f"window {spec}")

    def streams(self):
        return {*self.aliases.values(), self.close_stream} - {None}

    def measure(self, name):
        return self.measures[name]

    def call(self, name, args, at):
        """A function of the calendar, or a table as of an instant."""
        if name == "fiscal_year":
            return self.calendar.first_day(
                name, self.calendar.date(args[0])).year
        if name == "date":
            return self.calendar.date(args[0])
        if name == "workdays":
            return self.calendar.workdays(*map(self.calendar.date, args))
        if name == "month":
            return self.calendar.date(args[0]).month
        if name in ("workday_progress", "fiscal_quarter"):
            return getattr(self.calendar, name)(*args)
        return self.package.tables[name].find(args, at)

    def currency_of(self, tree):
        """The currency of a plain field, None for another expression."""
        if tree[0] == "member":
            tree = ("name", tree[2])
        if tree[0] != "name":
            return None
        for stream in self.aliases.values():
            field = stream.fields.get(tree[1])
            if field:
                return field.currency
        return None

    def needs_judging(self, tree):
        """Whether a tree reads now, a measure or a baseline."""
        read = names(tree)
        return bool(
            "now" in read or self.close_alias in read
            or read & set(self.measures)
            or read & set(self.baselines)
            or any(self.needs_judging(self.lets[n])
                   for n in read & set(self.lets)))

    def value_of(self, measure, key, period):
        if measure.by is not None:
            coarse = self.coarse[tuple(measure.by)]
            values = tuple(key.values[self.by.index(n)] for n in measure.by)
            holder = coarse.get(values)
            return measure.over(self.window_of(holder, period)
                                if holder else [])
        if measure.function == "latest":
            return key.latest.get(measure.name, (None, Missing("empty")))[1]
        return measure.over(self.window_of(key, period))

    def window_of(self, key, period):
        """The entries that the window holds at the key's clock."""
        if self.window == "calendar":
            return key.periods.get(period, [])
        if self.opens:
            return period.entries
        if self.slides:
            return [e for e in key.entries
                    if not self.has_left(e.time, key.clock)]
        return key.entries

    def _pane(self, time):
        return (int(time) + self.origin) // self.pane

    def exit_of(self, time):
        """When an event of @time leaves the window."""
        if self.pane is None:
            return time + self.width
        panes = self.width // self.pane
        return (self._pane(time) + panes) * self.pane - self.origin

    def has_left(self, time, clock):
        return clock != NEVER and self.exit_of(time) <= (
            clock if self.pane is None
            else self._pane(clock) * self.pane - self.origin)

    def next_tick(self, time):
        """The next clock time of `every` after @time."""
        date = self.calendar.date(time)
        while True:
            due = self.calendar.midnight(date) + self.every_at
            days = date.toordinal() - FIRST_DAY
            if due > time and days % self.every_days == 0:
                return due
            date += ONE_DAY


def words_of(rule):
    """Every word of a rule that may name a field."""
    spec = {k: v for k, v in rule.items()
            if k not in ("tests", "title", "desc", "advice", "tags", "owner",
                         "status", "rule")}
    return set(re.findall(r"[A-Za-z_]\w*", json.dumps(spec)))


def tables_of(rule, package):
    """The tables that a rule asks, through macros and other tables too."""
    calls = {name: getattr(table, "condition", "")
             for name, table in package.tables.items()}
    found, texts = set(), [json.dumps(
        {k: v for k, v in rule.items() if k != "tests"})]
    while texts:
        text = texts.pop()
        for name, more in {**package.macros, **calls}.items():
            called = r"\s*\(" if name in calls else r"\b"
            if name not in found and re.search(rf"\b{name}{called}", text):
                found.add(name)
                texts.append(more)
    return found & set(calls)


class Oracle:
    """step() by step(); the transitions stand in `out`."""

    def __init__(self, package, keys_per_rule=None):
        self.package = package
        self.registries = [table for table in package.tables.values()
                           if isinstance(table, StreamTable)]
        self.rules = sorted(
            (Rule(package, spec) for spec in package.rules
             if spec.get("status", "test") == "live"),
            key=lambda rule: rule.full.encode())
        self._mark_used_fields()
        self.out = []
        self.open = {}  # alert -> its last transition, while that is open
        self.known = {}  # id in Redis -> alert, for the seam
        self.seam_out = []
        self.kept = self.refused = self.duplicate = 0
        self.late = 0
        self.refusals = {}
        self.dead = []  # (topic, partition, offset)
        known = [*package.streams.values(), *package.sources.values()]
        self.topics = {s.topic: s for s in known}
        self.ids = {s.name: {} for s in known}
        self.watermark = NEVER
        self.greatest = {}  # (topic, partition) -> greatest event time
        self.partitions = set()
        self.idle = set()
        self.catching_up = False
        self.greatest_of_all = NEVER
        self._timers = []
        self._at = None
        self._ordinals = itertools.count(1)
        self.keys_per_rule = keys_per_rule
        self._ids_for()
        self._keep_rows()

    def _mark_used_fields(self):
        for stream in self.package.streams.values():
            stream.used = {stream.time, stream.id} - {None}
        for spec in self.package.rules:
            words = words_of(spec) | set().union(*(
                re.findall(r"[A-Za-z_]\w*", text)
                for text in self.package.macros.values()), set())
            for rule in self.rules:
                if rule.name == spec["rule"]:
                    for stream in rule.streams():
                        stream.used |= words & set(stream.fields)
        for table in self.registries:
            table.stream.used = set(table.stream.fields)
        for source in self.package.sources.values():
            source.used = source.base.used

    def streams_read(self):
        """The names of those that rules or their tables ask for."""
        read = {stream.name for rule in self.rules
                for stream in rule.streams()}
        read |= {table.stream.name for table in self.registries}
        read |= {source.name for source in self.package.sources.values()
                 if source.base.name in read}
        return sorted(read)

    def _ids_for(self):
        """The longest window of a stream, at most 90 days; those where no
        width bounds it."""
        for stream in self.package.streams.values():
            if stream.id and stream.id_for is None:
                widths = [rule.width or 90 * DAY for rule in self.rules
                          if stream in rule.streams()]
                stream.id_for = min(max(widths, default=90 * DAY), 90 * DAY)
        for source in self.package.sources.values():
            source.id_for = source.base.id_for

    def _keep_rows(self):
        """Tables of streams: the longest window of those that read them."""
        days = {"day": 1, "week": 7, "month": 31, "quarter": 92,
                "fiscal_quarter": 92, "year": 366, "fiscal_year": 366}
        widths = {rule: days[rule.unit] * DAY if rule.unit else rule.width or 0
                  for rule in self.rules}
        for table in self.registries:
            if table.keep is None:
                table.keep = max([90 * DAY, *(
                    width for rule, width in widths.items()
                    if table.name in rule.tables)])

    # -- input ---------------------------------------------------------

    def partition(self, topic, partition):
        self.partitions.add((topic, partition))

    def record(self, record, poll_time=None):
        """One record, as the journal says it was taken."""
        where = record.topic, record.partition
        stream = self.topics[record.topic]
        try:
            event = stream.decode(record.payload)
            self._check_skew(stream, event, record, poll_time)
            if self._is_duplicate(stream, event):
                self.duplicate += 1  # and nothing else
                return
        except Refused as refused:
            self.refused += 1
            reason = refused.reason
            self.refusals[reason] = self.refusals.get(reason, 0) + 1
            self.dead.append((record.topic, record.partition, record.offset,
                              reason))
            return
        self.kept += 1
        event.coordinates = record.topic, record.partition, record.offset
        self._raise(stream, where, event.time)
        late = event.time < self.watermark
        self.late += late
        for table in self.registries:
            if table.stream is stream.base:
                table.take(event, self.watermark)
        for rule in self.rules:
            self._fold(rule, event, late)

    def _check_skew(self, stream, event, record, poll_time):
        clocks = []
        if record.timestamp is not None and record.timestamp >= 0:
            clocks.append(record.timestamp * 1000)
        if poll_time is not None:
            clocks.append(poll_time * 10 ** 6)
        if clocks and event.time > min(clocks) + stream.max_skew:
            raise Refused("far_future")

    def _is_duplicate(self, stream, event):
        if not stream.id or not stream.id_for:
            return False
        known = self.ids[stream.name]
        before = known.get(event.id)
        if before and before[1] + stream.id_for > self.watermark:
            if before[0] == event.payload:
                return True
            raise Refused("conflict")
        known[event.id] = event.payload, max(event.time, self.watermark)
        return False

    def _raise(self, stream, where, time):
        self.partitions.add(where)
        self.idle.discard(where)
        self.greatest[where] = max(self.greatest.get(where, NEVER),
                                   time - stream.max_delay)
        self.greatest_of_all = max(self.greatest_of_all, time)
        self._move_watermark()
        self._fire_timers()  # a late event may have left one that is due

    def _move_watermark(self):
        if self.catching_up:
            delay = max(s.max_delay for s in self.topics.values())
            mark = self.greatest_of_all - delay
        else:
            waiting = [p for p in self.partitions if p not in self.idle]
            if not waiting:
                return
            mark = min(self.greatest.get(p, NEVER) for p in waiting)
        self.watermark = max(self.watermark, mark)

    def decision(self, kind, **what):
        """A decision of the journal, by the name of its kind."""
        if kind == "partition":
            self.partition(what["topic"], what["partition"])
        elif kind == "catch_up":
            self.catching_up = True
            self._move_watermark()
        elif kind == "live":
            self.catching_up = False
            self._move_watermark()
        elif kind == "idle":
            self.idle.add((what["topic"], what["partition"]))
            self._move_watermark()
        elif kind == "advance":
            self.watermark = max(self.watermark, what["at"])
        elif kind == "end":
            self.watermark = max(self.watermark, self.greatest_of_all)
            self._fire_timers(at_the_end=True)
        elif kind not in ("went_on", "content"):
            raise Unsupported(f"decision {kind}")
        self._fire_timers()

    def seam(self, line):
        """What must be said so that Redis holds what is open here.

        What came before was not published. The order of what is said is by
        id, which the oracle does not know: it is compared as a set.
        """
        self._fire_timers()
        there = {}
        for record in line["open"]:
            alert = self.known.get(record["id"], record["id"])
            there[alert] = record
        for alert, record in there.items():
            here = self.open.get(alert)
            if not record["open"]:
                continue
            if here is None:
                self.seam_out.append((alert, "withdrawn", record["level"],
                                      record["rev"] + 1))
                continue
            here["life"].revision = record["rev"]
            if here["level"] != record["level"]:
                here["life"].revision += 1
                self.seam_out.append((alert, "amended", here["level"],
                                      record["rev"] + 1))
        for alert, here in self.open.items():
            record = there.get(alert, {"open": False, "rev": 0})
            if not record["open"]:
                here["life"].revision = record["rev"] + 1
                self.seam_out.append((alert, "fired", here["level"],
                                      record["rev"] + 1))
        self.out = []

    # -- folding -------------------------------------------------------

    def _fold(self, rule, event, late):
        if late and rule.late == "drop":
            return
        for alias, stream in rule.aliases.items():
            if stream is event.stream:
                self._fold_alias(rule, alias, event, late)
        if rule.close_stream is event.stream:
            self._fold_closing(rule, event, late)

    def _key_of(self, rule, scope, at):
        """The key of an event, made if it is not there; None: it has none."""
        values = tuple(scope.lookup(name) for name in rule.by)
        if any(isinstance(v, Missing) for v in values):
            return None
        key = rule.keys.get(values)
        if key is None or self._is_over(rule, key):
            if key is None and len(rule.keys) == self.keys_per_rule:
                self._evict(rule)
            key = rule.keys[values] = Key(next(self._ordinals), values)
            key.clock = at
            if rule.every_at is not None:
                self._set_timer(rule.next_tick(max(at, self.watermark)),
                                rule, key, "every", None)
        return key

    def _evict(self, rule):
        """S9.2, S9.5. When a key that has ended is given back no sentence
        says, so the oracle wants windows in which none ends."""
        if rule.coarse or rule.opens or rule.baselines:
            raise Unsupported("a limit with " + rule.full)
        key = victim(rule)
        self._at = key.clock
        for period, life in sorted(key.alerts.items()):
            if life.firing:
                scope = JudgeScope(rule, key, period, key.clock, key.last,
                                   True)
                self._emit(rule, key, period, life, "stale", "evicted",
                           life.level, scope, key.clock, None, state="stale",
                           is_open=True)
        key.is_gone = True
        del rule.keys[key.values]

    def _fold_closing(self, rule, event, late):
        """An event that closes windows, and is in none itself."""
        entry = Entry(rule, rule.close_alias, event, late)
        scope = EventScope(entry)
        if rule.close_where and \
                evaluate(rule.close_where, scope) is not True:
            return
        key = self._key_of(rule, scope, event.time)
        if key and (key.over is None or event.time > key.over):
            key.clock = max(key.clock, event.time)
            self._insert(key.closes, entry)
            self._await_ends(rule, key)

    def _fold_open(self, rule, key, entry):
        """A window that goes on, or opens."""
        self._set_last(key, entry)
        self._set_latest(rule, key, entry)
        key.clock = max(key.clock, entry.time)
        if key.over is not None and entry.time <= key.over:
            return []
        self._insert(key.entries, entry)
        window = stretch.at(rule, key, entry.time)
        if window.end < self.watermark and len(window.entries) == 1:
            key.entries.remove(entry)
            return []
        self._await_ends(rule, key)
        return [] if rule.once else [(0, lambda: self._judge(
            rule, key, stretch.at(rule, key, entry.time), key.clock, entry,
            "late" if entry.late else "condition", entry, entry.time))]

    def _await_ends(self, rule, key):
        for window in stretch.cut(rule, key):
            self._set_timer(window.end + 1, rule, key, "period", None)

    def _fold_alias(self, rule, alias, event, late):
        entries = [Entry(rule, alias, event, late)]
        if rule.each in event.stream.fields:
            elements = event.fields[rule.each]
            if isinstance(elements, Missing):
                return
            entries = [Entry(rule, alias, event, late, element, place)
                       for place, element in enumerate(elements[:256])]
        # All of a record are folded before the first is judged.
        judgings = [judge for entry in entries
                    for judge in self._fold_entry(rule, alias, entry) or ()]
        for _, judge in sorted(judgings, key=lambda j: j[0]):
            judge()

    def _fold_entry(self, rule, alias, entry):
        """What is to be done when all are folded: (0, judge the key), (1,
        judge what is beneath), (2, enter among the peers)."""
        scope = EventScope(entry)
        conditions = list(rule.where)
        if alias in rule.filters:
            conditions.append(rule.filters[alias])
        for condition in conditions:
            if evaluate(condition, scope) is not True:
                return
        for baseline in rule.peers:
            baseline.fold(scope, entry.time, self.watermark)
        return [*(self._fold_passed(rule, entry, scope) or ()),
                *((2, functools.partial(baseline.enter, scope, entry.time))
                  for baseline in rule.peers)]

    def _fold_passed(self, rule, entry, scope):
        if any(isinstance(scope.lookup(n), Missing) for n in rule.by):
            return None
        for measure in rule.measures.values():
            entry.given[id(measure)] = measure.contribution(entry)
        if rule.alone and not rule.cooldown:
            values = tuple(scope.lookup(n) for n in rule.by)
            return [(0, lambda: self._judge_alone(rule, values, entry))]
        key = self._key_of(rule, scope, entry.time)
        if rule.opens:
            return self._fold_open(rule, key, entry)
        return self._fold_key(rule, key, key.values, entry)

    def _judge_alone(self, rule, values, entry):
        """A rule that keeps no state: the event is judged by itself."""
        key = Key(0, values)
        key.clock = entry.time
        key.last = entry
        self._judge(rule, key, None, entry.time, entry,
                    "late" if entry.late else "condition", entry, entry.time)

    def _fold_key(self, rule, key, values, entry):
        period = None
        if rule.window == "calendar":
            period = rule.calendar.first_day(
                rule.unit, rule.calendar.date(entry.time))
            self._insert(key.periods.setdefault(period, []), entry)
            end = rule.calendar.midnight(
                rule.calendar.next_first_day(rule.unit, period))
            if end <= self.watermark:
                # The period is closed: it changes baselines only.
                key.clock = max(key.clock, entry.time)
                self._set_last(key, entry)
                return
            self._set_timer(end, rule, key, "period", period)
            self._set_timer(end, rule, key, "values", period)
        self._set_last(key, entry)
        self._set_latest(rule, key, entry)
        out_of_window = rule.slides and rule.has_left(entry.time, key.clock)
        if not out_of_window:
            if rule.window != "calendar":
                self._insert(key.entries, entry)
            key.clock = max(key.clock, entry.time)
            self._prune(rule, key)
        touched = self._fold_coarse(rule, key, values, entry)
        why = "late" if entry.late else "condition"
        judgings = [(1, lambda coarse=coarse: self._rejudge_beneath(
            rule, coarse, why, entry.time)) for coarse in touched]
        if not out_of_window and not rule.once:
            judgings.append((0, lambda: self._judge(
                rule, key, period, key.clock, entry, why, entry,
                entry.time)))
        return judgings

    def _is_over(self, rule, key, now=None):
        """A key that has been freed: nothing is in its windows any more, its
        baselines are over, and no alert or cooldown hangs on it."""
        now = self.watermark if now is None else now
        if key.latest or rule.window is None and rule.measures:
            return False
        if rule.opens:
            return stretch.forgotten(rule, key, now) and \
                not any(life.changed is not None
                        and life.changed + rule.cooldown > now
                        for life in key.alerts.values())
        if any(clock + rule.cooldown > now
               for _, clock in key.memory.values()):
            return False
        if rule.unit:  # what a period's end resolved has no cooldown
            return self._last_end(rule, key) <= now and \
                not any(life.firing for life in key.alerts.values())
        held = rule.window_of(key, None) if rule.slides else ()
        if (rule.exit_of(held[-1].time) if held else key.clock) > now:
            return False
        return not any(
            life.firing or life.changed is not None
            and life.changed + rule.cooldown > now
            for k in [key, *key.fines] for life in k.alerts.values())

    def _last_end(self, rule, key):
        last = max(key.periods)
        for _ in range(1 + max((b.periods() for b in
                                rule.baselines.values()), default=0)):
            last = rule.calendar.next_first_day(rule.unit, last)
        return rule.calendar.midnight(last)

    def _insert(self, entries, entry):
        bisect.insort(entries, entry, key=lambda e: e.order)

    def _set_latest(self, rule, key, entry):
        for name, measure in rule.measures.items():
            given = entry.given[id(measure)]
            if measure.function == "latest" and given and (
                    name not in key.latest
                    or key.latest[name][0] < entry.order):
                key.latest[name] = entry.order, given[0]

    def _set_last(self, key, entry):
        if key.last is None or entry.order > key.last.order:
            key.last = entry

    def _prune(self, rule, key):
        if rule.slides:
            while key.entries and rule.has_left(key.entries[0].time,
                                                key.clock):
                key.entries.pop(0)

    def _fold_coarse(self, rule, fine, values, entry):
        touched = []
        for by, holders in rule.coarse.items():
            part = tuple(values[rule.by.index(n)] for n in by)
            holder = holders.get(part)
            if holder is None or self._is_over(rule, holder):
                holder = holders[part] = Key(next(self._ordinals), part)
            if fine not in holder.fines:
                holder.fines.append(fine)
            if rule.slides and rule.has_left(entry.time, holder.clock):
                continue
            if rule.window == "calendar":
                raise Unsupported("a coarser calendar window")
            self._insert(holder.entries, entry)
            holder.clock = max(holder.clock, entry.time)
            self._prune(rule, holder)
            touched.append(holder)
        return touched

    def _rejudge_beneath(self, rule, coarse, why, at):
        """A coarser key changed: the open alerts beneath, oldest first."""
        for fine in sorted(coarse.fines, key=lambda k: k.ordinal):
            for period, life in list(fine.alerts.items()):
                if life.firing:
                    fine.clock = max(fine.clock, coarse.clock)
                    self._prune(rule, fine)
                    self._judge(rule, fine, period, fine.clock, fine.last,
                                why, None, at, may_raise=False)

    # -- judging -------------------------------------------------------

    def _verdict(self, rule, scope):
        """(truth or Missing, level or None)"""
        value = evaluate(rule.alert_if, scope)
        if value is not True:
            return value, None
        if not rule.level:
            return True, "yellow"
        missing = None
        for level in reversed(LEVELS[1:]):
            if level not in rule.level:
                continue
            value = evaluate(rule.level[level], scope)
            if value is True:
                return True, level
            if isinstance(value, Missing):
                missing = value
        return (missing or True), None

    def _judge(self, rule, key, period, now, entry, why, event, at,
               may_raise=True, close=None):
        """Judges a key: @now is its clock at an event, the due time at a
        timer, while windows, cooldown and refresh go by the clock; @entry gives its bare fields, @event is the
        entry of the event that is judged, None at a timer; @at is when the
        event or the timer was due, which may be before the clock."""
        scope = JudgeScope(rule, key, period, now, entry, event is None,
                           close)
        self._at = at
        if rule.opens:
            self._join(rule, key, period, scope, now, event)
        truth, level = self._verdict(rule, scope)
        if rule.per_event:
            if truth is True and level and (event or rule.once) and \
                    not self._excepted(rule, scope, now):
                self._try_event(rule, key, scope, level, why, now, event)
            return
        life = self._life_of(rule, key, period)
        if rule.slides and life.firing and \
                not rule.window_of(key, period):
            self._publish(rule, key, period, life, "resolved", "window",
                          life.level, scope, now, event)
            return
        if not life.firing:
            if truth is True and level and may_raise:
                self._try_to_fire(rule, key, period, life, scope, level, why,
                                  now, event)
            return
        self._while_firing(rule, key, period, life, scope, truth, level, why,
                           now, event, may_raise)

    def _lives_of(self, key, window):
        return [(start, life) for start, life in key.alerts.items()
                if window.start <= start <= window.end]

    def _life_of(self, rule, key, period):
        if not rule.opens:
            return key.alerts.setdefault(period, Life())
        lives = self._lives_of(key, period)
        return lives[0][1] if lives else \
            key.alerts.setdefault(period.start, Life())

    def _join(self, rule, key, window, scope, now, event):
        """One window of two: the alert that fired first stays."""
        lives = self._lives_of(key, window)
        while len(lives) > 1:
            gone = lives[1] if stretch.stays(*lives[:2]) else lives[0]
            start, life = gone
            if life.firing:
                self._emit(rule, key, window, life, "withdrawn", "merged",
                           life.level, scope, now, event, state="withdrawn",
                           is_open=False)
            del key.alerts[start]
            lives.remove(gone)

    def _try_to_fire(self, rule, key, period, life, scope, level, why, now,
                     event):
        if self._excepted(rule, scope, now):
            return
        rank = LEVELS.index(level)
        if life.changed is not None and rank <= LEVELS.index(life.level) \
                and key.clock < life.changed + rule.cooldown:
            life.withheld = True
            self._set_timer(life.changed + rule.cooldown, rule, key,
                            "cooldown", life.period or period)
            return
        self._publish(rule, key, period, life, "fired", why, level, scope,
                      now, event)

    def _while_firing(self, rule, key, period, life, scope, truth, level,
                      why, now, event, may_raise):
        if rule.resolve_if is not None:
            over = evaluate(rule.resolve_if, scope) is True
        else:
            over = truth is False
        if over:
            self._publish(rule, key, period, life, "resolved", why,
                          life.level, scope, now, event)
            return
        rank, old = LEVELS.index(level or life.level), \
            LEVELS.index(life.level)
        if truth is True and rank > old and may_raise:
            self._publish(rule, key, period, life, "raised", why, level,
                          scope, now, event)
        elif truth is True and rank < old and \
                key.clock >= life.changed + rule.cooldown:
            self._publish(rule, key, period, life, "lowered", why, level,
                          scope, now, event)
        else:
            if truth is True and rank < old:
                self._set_timer(life.changed + rule.cooldown, rule, key,
                                "cooldown", life.period or period)
            if truth is True and not (rank < old) and \
                    key.clock >= life.published + rule.refresh and \
                    life.values != moved_by(rule, scope):
                self._publish(rule, key, period, life, "updated", why,
                              life.level, scope, now, event)
        self._schedule_exits(rule, key)

    def _excepted(self, rule, scope, now):
        for exception in rule.exceptions:
            until = exception.get("until")
            if until and rule.calendar.date(now).isoformat() > str(until):
                continue
            match = exception["match"]
            if not isinstance(match, dict):
                if evaluate(parse(match), scope) is True:
                    return True
            elif all(scope.lookup(name) in (
                    values if isinstance(values, list) else [values])
                    for name, values in match.items()):
                return True
        return False

    def _try_event(self, rule, key, scope, level, why, now, event):
        if rule.cooldown and key.ordinal and not rule.opens:
            before = key.memory.get(scope.period)
            if before and key.clock < before[1] + rule.cooldown and \
                    LEVELS.index(level) <= LEVELS.index(before[0]):
                return
            key.memory[scope.period] = level, key.clock
            self._set_timer(key.clock + rule.cooldown, rule, key, "cooldown",
                            scope.period)
        self._fire_event(rule, key, scope, level, why, now, event)

    def _fire_event(self, rule, key, scope, level, why, now, event):
        life = Life()
        last = scope.period.entries[-1] if rule.opens else key.last
        life.fired_by = event.event.coordinates + (event.place,) \
            if event else last.event.coordinates + (now,)
        life.period = scope.period.start if rule.opens else None
        self._emit(rule, key, scope.period, life, "fired", why, level, scope,
                   now, event, state="resolved", is_open=True)
        life.level = level
        self._set_timer(key.clock + rule.review_within, rule, key, "review",
                        None, (life, scope))

    def _publish(self, rule, key, period, life, change, why, level, scope,
                 now, event):
        firing = change != "resolved"
        if change == "fired":
            last = period.entries[-1] if rule.opens else key.last
            life.fired_by = event.event.coordinates + (event.place,) \
                if event else last.event.coordinates + (now,)
            life.fired_at = self._at
            if rule.opens:
                for start, known in list(key.alerts.items()):
                    if known is life:
                        del key.alerts[start]
                key.alerts[period.start] = life
                life.period = period.start
        self._emit(rule, key, period, life, change, why, level, scope, now,
                   event, state="firing" if firing else "resolved",
                   is_open=firing)
        life.firing = firing
        life.level = level
        life.published = key.clock
        life.values = moved_by(rule, scope)
        if change in ("fired", "raised", "lowered"):
            life.changed = key.clock
        life.withheld = False
        if change == "resolved" and why != "period" and \
                key.clock < life.changed + rule.cooldown:
            self._set_timer(life.changed + rule.cooldown, rule, key,
                            "cooldown", life.period or period)
        if firing:
            self._schedule_exits(rule, key)

    def _emit(self, rule, key, period, life, change, why, level, scope, now,
              event, state, is_open):
        life.revision = 1 if change == "fired" else life.revision + 1
        transition = {
            "rule": rule.full, "key": key.values, "by": rule.by,
            "period": self._period_name(rule, period, life),
            "change": change, "why": why, "level": level,
            "was": None if change == "fired" else life.level,
            "state": state, "open": is_open, "rev": life.revision,
            "alert": (rule.full, key.values,
                      life.period if rule.opens else period, life.fired_by),
            "event": event.event.coordinates if event else None,
            "at": self._at,
            "now": now, "watermark": self.watermark,
            "values": transition_values(rule, scope), "life": life,
            "scope": scope,
            "evidence": self._evidence(rule, key, period, event),
            "past": {
                name: {rule.calendar.name(rule.unit, first): value
                       for first, value in b.past(key, period, now)}
                for name, b in rule.baselines.items()
                if b not in rule.peers},
            "peers": scope.peers,
        }
        self.out.append(transition)
        self.open.pop(transition["alert"], None)
        if is_open:
            self.open[transition["alert"]] = transition

    def _period_name(self, rule, period, life):
        if rule.opens:
            return datetime.fromtimestamp(
                life.period / 10 ** 6, rule.calendar.zone).isoformat()
        return rule.calendar.name(rule.unit, period) if period else None

    def _evidence(self, rule, key, period, event):
        """How many records contribute, and where the newest of them lie."""
        entries = [event] if rule.alone and event else \
            rule.window_of(key, period)
        newest = entries[::-1][:rule.evidence]
        return len(entries), [e.event.coordinates for e in newest]

    # -- timers --------------------------------------------------------

    def _set_timer(self, due, rule, key, kind, period, what=None):
        token = next(self._ordinals)
        # What ends enters among the peers when all rules have judged it.
        order = (kind == "values", rule.full.encode())
        heapq.heappush(self._timers, (
            due, order, key.ordinal, KINDS[kind],
            str(period), token, rule, key, kind, period, what))

    def _holders(self, rule, key):
        """The key and the coarser keys above it."""
        yield key
        for by, holders in rule.coarse.items():
            yield holders[tuple(key.values[rule.by.index(n)] for n in by)]

    def _schedule_exits(self, rule, key):
        """One timer per open alert, at the end of the oldest entry of its
        window and of the windows of the coarser keys above it."""
        if not rule.slides or not any(
                life.firing for life in key.alerts.values()):
            return
        ends = [rule.exit_of(holder.entries[0].time)
                for holder in self._holders(rule, key) if holder.entries]
        if ends:
            self._set_timer(min(ends), rule, key, "exit", None)

    def _is_due(self, at_the_end):
        """At the end of all files no other event of the last time comes, so
        a window that ends then is over."""
        if not self._timers:
            return False
        due, _, _, _, _, _, rule, _, kind, _, _ = self._timers[0]
        return due <= self.watermark or (
            at_the_end and kind == "period" and rule.opens
            and due == self.greatest_of_all + 1)

    def _fire_timers(self, at_the_end=False):
        while self._is_due(at_the_end):
            due, _, _, _, _, _, rule, key, kind, period, what = \
                heapq.heappop(self._timers)
            if key.is_gone and kind != "review":
                continue
            getattr(self, "_on_" + kind)(due, rule, key, period, what)

    def _on_exit(self, due, rule, key, _period, _what):
        if not any(life.firing for life in key.alerts.values()):
            return
        leaves = False
        for holder in self._holders(rule, key):
            # Another alert's timer of the same time may have been first.
            if holder.clock == due or (
                    holder.entries and
                    rule.exit_of(holder.entries[0].time) <= due):
                leaves = True
                holder.clock = max(holder.clock, due)
                self._prune(rule, holder)
                key.clock = max(key.clock, holder.clock)
        if not leaves:  # it had left before: another timer stands
            self._schedule_exits(rule, key)
            return
        self._prune(rule, key)
        for period, life in list(key.alerts.items()):
            if life.firing:
                self._judge(rule, key, period, due, key.last, "window", None,
                            due, may_raise=False)

    def _on_cooldown(self, due, rule, key, period, _what):
        if rule.per_event:
            before = key.memory.get(period)
            if before and due == before[1] + rule.cooldown:
                key.clock = max(key.clock, due)
                self._prune(rule, key)
                del key.memory[period]
            return
        life = key.alerts.get(period)
        if life is None or life.changed is None or \
                due != life.changed + rule.cooldown or \
                period in key.closed:
            return
        key.clock = max(key.clock, due)
        self._prune(rule, key)
        if rule.opens:
            self._judge_open(rule, key, period, due, life)
        elif life.firing or life.withheld:
            self._judge(rule, key, period, due, key.last, "condition", None,
                        due)

    def _judge_open(self, rule, key, start, due, life):
        """At the end of a cooldown."""
        window = stretch.at(rule, key, start)
        if window and (life.firing or life.withheld):
            self._judge(rule, key, window, due, window.entries[-1],
                        "condition", None, due)
        elif not life.firing:
            del key.alerts[start]

    def _on_every(self, due, rule, key, _period, _what):
        if rule.opens:
            raise Unsupported("every with windows that events open")
        if self._is_over(rule, key, due - 1):
            return
        period = rule.calendar.first_day(
            rule.unit, rule.calendar.date(due)) if rule.unit else None
        key.clock = max(key.clock, due)
        self._prune(rule, key)
        self._judge(rule, key, period, due, key.last, "condition", None, due)
        self._set_timer(rule.next_tick(due), rule, key, "every", None)

    def _on_end(self, due, rule, key):
        """The oldest window is over, unless that is another one now."""
        windows = stretch.cut(rule, key)
        if rule.keys.get(key.values) is not key or not windows or \
                windows[0].end >= due:
            return
        window = windows[0]
        if window.entries:
            self._close(rule, key, window)
            self._set_timer(due, rule, key, "values", None, window)
        stretch.drop(key, window)

    def _close(self, rule, key, window):
        key.clock = max(key.clock, window.end)
        if rule.per_event and not rule.once:
            return
        last = window.entries[-1]
        self._judge(rule, key, window, window.end, last, "condition", None,
                    window.end, close=window.close)
        if rule.per_event:
            return
        scope = JudgeScope(rule, key, window, window.end, last, True,
                           window.close)
        for start, life in list(key.alerts.items()):
            if start > window.end:
                continue
            if life.firing and rule.window == "until":
                self._stand(rule, key, window, life, scope)
            elif life.firing:
                self._publish(rule, key, window, life, "resolved", "period",
                              life.level, scope, window.end, None)
            del key.alerts[start]

    def _stand(self, rule, key, window, life, scope):
        """What holds when a window was closed waits for people."""
        life.firing = False
        self._emit(rule, key, window, life, "resolved", "period", life.level,
                   scope, window.end, None, state="resolved", is_open=True)
        self._set_timer(key.clock + rule.review_within, rule, key, "review",
                        None, (life, scope))

    def _on_period(self, due, rule, key, period, _what):
        if rule.opens:
            self._on_end(due, rule, key)
            return
        if period in key.closed or rule.per_event and not rule.once:
            return
        key.clock = max(key.clock, due)
        self._judge(rule, key, period, due, key.last, "condition", None, due)
        key.closed.add(period)
        life = key.alerts.get(period)
        if life and life.firing:
            scope = JudgeScope(rule, key, period, due, key.last, True)
            self._publish(rule, key, period, life, "resolved", "period",
                          life.level, scope, due, None)

    def _on_values(self, due, rule, key, period, window):
        if period in key.entered:
            return
        last, entries, end = key.last, key.periods.get(period), due
        if window:
            last, entries, end = \
                window.entries[-1], window.entries, window.end
        else:
            key.entered.add(period)
        for baseline in rule.peers:
            baseline.close(last, entries, end)

    def _on_review(self, due, rule, key, _period, what):
        life, scope = what
        self._at = due
        self._emit(rule, key, scope.period, life, "updated", "window",
                   life.level, scope, due, None, state="resolved",
                   is_open=False)
        # The values that the rule saw are kept, the event is not.
        self.out[-1].update(evidence=(0, []), past={}, peers={})
