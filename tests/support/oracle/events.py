"""Packages of rules as dictionaries, calendars, tables, and decoding events."""

import csv
import datetime
import functools
import glob
import json
import os
import pickle
import re
import zoneinfo
from fractions import Fraction

import yaml

from support.oracle import Unsupported
from support.oracle.expr import (DIGITS, Missing, Money, Row, Scope, Time,
                                 evaluate, parse, parse_date)

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
DAY = 86400 * 10 ** 6

_SPAN = {"s": 10 ** 6, "m": 60 * 10 ** 6, "h": 3600 * 10 ** 6, "d": DAY,
         "w": 7 * DAY}


def span(text):
    """Microseconds of 90s, 5m, 24h, 30d, 2w."""
    found = re.fullmatch(r"(\d+)([smhdw])", str(text))
    if not found:
        raise Unsupported(f"duration {text}")
    return int(found[1]) * _SPAN[found[2]]


class _Loader(yaml.SafeLoader):
    """YAML in which a date stays the text it was."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers
            if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}


@functools.lru_cache
def _load(text):
    """What a file says, pickled: hundreds of tests read the same files."""
    return pickle.dumps(yaml.load(text, _Loader))


class Calendar:
    def __init__(self, spec, folder):
        self.zone = zoneinfo.ZoneInfo(spec.get("tz", "UTC"))
        self.fiscal = [int(x) for x in
                       str(spec.get("fiscal_year", "01-01")).split("-")]
        self.exceptions = {}
        self._workdays = {}
        if "holidays" in spec:
            for row in _csv(os.path.join(folder, spec["holidays"])):
                self.exceptions[parse_date(row["date"])] = \
                    row["kind"] == "workday"

    def date(self, at):
        """The civil date of an instant, in the calendar's zone."""
        seconds, usec = divmod(int(at), 10 ** 6)
        moment = EPOCH + datetime.timedelta(seconds=seconds,
                                            microseconds=usec)
        return moment.astimezone(self.zone).date()

    def midnight(self, date):
        local = datetime.datetime(date.year, date.month, date.day,
                                  tzinfo=self.zone)
        return int(local.timestamp()) * 10 ** 6

    def is_workday(self, date):
        return self.exceptions.get(date, date.weekday() < 5)

    def workdays(self, after, until):
        """Business days behind one date and up to another, signed."""
        if until < after:
            return -self.workdays(until, after)
        return sum(self.is_workday(after + datetime.timedelta(days=i + 1))
                   for i in range((until - after).days))

    def first_day(self, unit, date):
        """The first day of the period that holds @date."""
        if unit == "day":
            return date
        if unit == "week":
            return date - datetime.timedelta(days=date.weekday())
        if unit == "month":
            return date.replace(day=1)
        if unit == "quarter":
            return date.replace(month=(date.month - 1) // 3 * 3 + 1, day=1)
        if unit == "year":
            return date.replace(month=1, day=1)
        if unit == "fiscal_year":
            month, day = self.fiscal
            first = date.replace(month=month, day=day)
            return first if first <= date else \
                first.replace(year=first.year - 1)
        raise Unsupported(f"calendar unit {unit}")

    def next_first_day(self, unit, first):
        step = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366,
                "fiscal_year": 366}[unit]
        return self.first_day(unit, first + datetime.timedelta(days=step))

    def previous_first_day(self, unit, first):
        return self.first_day(unit, first - datetime.timedelta(days=1))

    def name(self, unit, first):
        if unit == "month":
            return f"{first.year:04}-{first.month:02}"
        if unit == "quarter":
            return f"{first.year:04}-Q{(first.month + 2) // 3}"
        if unit == "year":
            return f"{first.year:04}"
        if unit == "fiscal_year":
            return f"FY{first.year:04}"
        if unit == "day":
            return first.isoformat()
        year, week, _ = first.isocalendar()
        return f"{year:04}-W{week:02}"

    def workday_progress(self, at, unit):
        """The share of the period's business days that has passed."""
        date = self.date(at)
        last = self.next_first_day(unit, self.first_day(unit, date)) \
            - datetime.timedelta(days=1)
        return self.workday_number(unit, date) / \
            self.workday_number(unit, last)

    def fiscal_quarter(self, at):
        date = self.date(at)
        first = self.first_day("fiscal_year", date)
        months = (date.year - first.year) * 12 + date.month - first.month
        return (months - (date.day < first.day)) // 3 + 1

    def workday_number(self, unit, date):
        """Business days of the period up to and including @date."""
        key = unit, date
        if key not in self._workdays:
            first = self.first_day(unit, date)
            days = (date - first).days + 1
            self._workdays[key] = sum(
                self.is_workday(first + datetime.timedelta(days=i))
                for i in range(days))
        return self._workdays[key]


def _csv(path):
    with open(path, encoding="utf-8") as file:
        return _rows(file)


def _rows(lines):
    return list(csv.DictReader(line for line in lines
                               if not line.startswith("#")))


def _items(lines):
    return [line.strip() for line in lines if line.strip() and line[0] != "#"]


class FieldType:
    def __init__(self, spec):
        if isinstance(spec, str):
            spec = {"type": spec}
        unknown = set(spec) - {"type", "path", "mask", "format"}
        if unknown:
            raise Unsupported(f"field with {unknown}")
        words = spec["type"].split()
        self.optional = words[-1] == "optional"
        if self.optional:
            words.pop()
        text = " ".join(words)
        self.kind, _, inner = text.partition("(")
        self.mask = spec.get("mask")
        self.currency = inner.rstrip(")") if self.kind == "money" else None
        self.inner = FieldType(inner.rstrip(")")) if self.kind == "list" \
            else None
        self.values = None
        found = re.fullmatch(r"enum\[(.*)\]", text)
        if found:
            self.kind = "enum"
            self.values = [v.strip() for v in found[1].split(",")]
        self.path = spec.get("path")
        self.format = spec.get("format")


class Refused(Exception):
    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


def _number(text, digits, thousands=None):
    """Digits of a JSON number or of plain text, exactly, in minor units."""
    if thousands and re.fullmatch(
            rf"-?\d{{1,3}}({re.escape(thousands)}\d{{3}})+(\.\d+)?", text):
        text = text.replace(thousands, "")
    if not re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d{1,4})?", text):
        raise Refused("bad_number")
    value = Fraction(text) * 10 ** digits
    if value.denominator != 1:
        raise Refused("too_many_digits")
    if not -2 ** 63 <= value < 2 ** 63:
        raise Refused("overflow")
    return int(value)


class _Raw(str):
    """The text of a JSON number."""


def parse_time(text, calendar):
    """RFC 3339 with offset, or a bare date: midnight in the zone."""
    found = re.fullmatch(
        r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?"
        r"([Zz]|[-+]\d\d:\d\d))?", text)
    if not found:
        raise Refused("bad_time")
    try:
        date = datetime.date(*(int(x) for x in found.group(1, 2, 3)))
        if found[4] is None:
            return Time(calendar.midnight(date))
        clock = datetime.time(*(int(x) for x in found.group(4, 5, 6)))
    except ValueError:
        raise Refused("bad_time") from None
    offset = 0
    if found[8] not in "Zz":
        hours, minutes = int(found[8][1:3]), int(found[8][4:6])
        if hours > 23 or minutes > 59:
            raise Refused("bad_time")
        offset = (hours * 60 + minutes) * 60
        if found[8][0] == "-":
            offset = -offset
    days = date.toordinal() - datetime.date(1970, 1, 1).toordinal()
    seconds = days * 86400 + clock.hour * 3600 + clock.minute * 60 + \
        clock.second - offset
    usec = int((found[7] or "0").ljust(6, "0")[:6])
    return Time(seconds * 10 ** 6 + usec)


class Event:
    __slots__ = ("stream", "fields", "time", "id", "payload", "where",
                 "coordinates", "lets", "late")


class Stream:
    def __init__(self, name, spec, calendar):
        known = {"topic", "format", "time", "max_delay", "idle_after", "id",
                 "id_for", "fields", "max_skew", "calendar", "max_bytes",
                 "encoding", "columns", "numbers"}
        if set(spec) - known or spec.get("format", "json") not in \
                ("json", "csv"):
            raise Unsupported(f"stream {name}: {set(spec) - known}")
        self.name = name
        self.topic = spec["topic"]
        self.time = spec["time"]
        self.max_delay = span(spec.get("max_delay", "0s"))
        self.max_skew = span(spec.get("max_skew", "1d"))
        self.id = spec.get("id")
        self.id_for = span(spec["id_for"]) if "id_for" in spec else None
        self.fields = {n: FieldType(s) for n, s in spec["fields"].items()}
        self.calendar = calendar
        self.max_bytes = int(spec.get("max_bytes", 1 << 20))
        self.encoding = spec.get("encoding", "utf8")
        self.columns = None
        if spec.get("format") == "csv":
            self.columns = spec["columns"]
        numbers = spec.get("numbers", {})
        if set(numbers) - {"thousands"}:
            raise Unsupported(f"stream {name}: {numbers}")
        self.thousands = numbers.get("thousands")
        self.base = self  # of a source: what rules know it as
        self.used = None  # set by the package: fields that rules read

    def decode(self, payload):
        """An Event without its place, or Refused."""
        if not payload:
            raise Refused("empty")
        if len(payload) > self.max_bytes:
            raise Refused("too_large")
        if self.columns:
            document = _row(payload, self.columns, self.encoding)
        else:
            names = set(self.used) | ({self.time, self.id} - {None})
            read = {part for name in names for part in
                    (self.fields[name].path or name).strip("/").split("/")}
            document = _json(payload, read, self.encoding)
        event = Event()
        event.stream = self.base
        event.payload = payload
        event.fields = {}
        for name, kind in self.fields.items():
            if name in self.used:
                event.fields[name] = self._value(name, kind, document)
        event.time = event.fields[self.time]
        event.id = event.fields[self.id] if self.id else None
        return event

    def _value(self, name, kind, document):
        value = document
        path = (kind.path or "/" + name).lstrip("/")
        for part in [path] if self.columns else path.split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            if kind.optional:
                return Missing("field")
            raise Refused("missing_field")
        return self._typed(kind, value)

    def _typed(self, kind, value):
        if kind.kind == "string" or kind.kind == "enum":
            if type(value) is not str:
                raise Refused("wrong_type")
            if kind.values and value not in kind.values:
                raise Refused("bad_enum")
            return value
        if kind.kind == "list":
            if type(value) is not list:
                raise Refused("wrong_type")
            return [self._typed(kind.inner, item) for item in value]
        if kind.kind == "bool":
            if type(value) is not bool:
                raise Refused("wrong_type")
            return value
        if kind.format:
            return self._formatted(kind.format, value)
        if kind.kind in ("timestamp", "date"):
            if type(value) is not str:
                raise Refused("wrong_type")
            if kind.kind == "timestamp":
                return parse_time(value, self.calendar)
            return parse_date(value)
        if type(value) not in (_Raw, str):
            raise Refused("wrong_type")
        if kind.kind == "int":
            return _number(value, 0, self.thousands)
        if kind.kind == "money":
            return Money(_number(value, DIGITS[kind.currency],
                                 self.thousands), kind.currency)
        if kind.kind == "double":
            return float(value)
        raise Unsupported(f"type {kind.kind}")


    def _formatted(self, form, value):
        """A time that is not written as RFC 3339."""
        if form == "epoch_ms":
            if type(value) not in (_Raw, str):
                raise Refused("wrong_type")
            usec = _number(value, 3)
            if not BEGIN <= usec < END:
                raise Refused("bad_time")
            return Time(usec)
        if type(value) is not str:
            raise Refused("wrong_type")
        try:
            local = datetime.datetime.strptime(value, form)
        except ValueError:
            raise Refused("bad_time") from None
        clock = datetime.timedelta(hours=local.hour, minutes=local.minute,
                                   seconds=local.second)
        return Time(self.calendar.midnight(local.date())
                    + clock // datetime.timedelta(microseconds=1))


# The instants of the years 1 to 9999.
BEGIN = -62135596800 * 10 ** 6
END = 253402300800 * 10 ** 6


def source_of(name, spec, base, base_spec, calendar):
    """Another shape in which the events of a stream come."""
    own = {key: value for key, value in base_spec.items()
           if key != "columns"}
    own.update({"topic": name, **spec})
    fields = {n: {"type": s} if isinstance(s, str) else dict(s)
              for n, s in base_spec["fields"].items()}
    for field, form in own.pop("fields", {}).items() \
            if "fields" in spec else ():
        fields[field].update({"path": form} if isinstance(form, str)
                             else form)
    own["fields"] = fields
    del own["stream"]
    source = Stream(name, own, calendar)
    source.base = base
    return source


def _text(payload, encoding):
    try:
        return payload.decode(encoding)
    except UnicodeDecodeError:
        raise Refused("not_utf8" if encoding == "utf8" else
                      "bad_encoding") from None


def _row(payload, columns, encoding):
    """A row of CSV; an empty cell is absent."""
    text = _text(payload, encoding)
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error:
        raise Refused("bad_row") from None
    if len(rows) != 1 or len(rows[0]) != len(columns):
        raise Refused("bad_row")
    return {name: cell for name, cell in zip(columns, rows[0]) if cell}


def _json(payload, read, encoding="utf8"):
    """A JSON document, refused for all that a strict reader refuses."""
    def pairs(items):
        keys = [key for key, _ in items]
        if len(set(keys)) != len(keys):
            doubled = {key for key in keys if keys.count(key) > 1}
            if doubled & read:
                raise Refused("duplicate_key")
        return dict(items)

    def constant(_):
        raise Refused("not_json")

    text = _text(payload, encoding)
    if _depth(text) > 64:
        raise Refused("too_deep")
    try:
        document = json.loads(text, object_pairs_hook=pairs,
                              parse_float=_Raw, parse_int=_Raw,
                              parse_constant=constant)
    except ValueError:
        raise Refused("not_json") from None
    if not isinstance(document, dict):
        raise Refused("not_json")
    return document


def _depth(text):
    """The deepest nesting outside of strings."""
    deepest = depth = 0
    for word in re.finditer(r'"(?:\\.|[^"\\])*"|[\[{]|[\]}]', text):
        if word[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif word[0] in "]}":
            depth -= 1
    return deepest


class Table:
    """Rows by key and validity; the longest prefix wins, left column first."""

    def __init__(self, name, spec, folder, zone_calendar):
        if "file" not in spec:
            raise Unsupported(f"table {name}")
        self.columns = [column.split()[0] for column in spec["key"]]
        self.prefix = ["prefix" in column.split() for column in spec["key"]]
        self.valid = spec.get("valid")
        self.types = {n: FieldType(s) for n, s in spec["fields"].items()}
        self.calendar = zone_calendar
        self.rows = _csv(os.path.join(folder, spec["file"]))

    def _cell(self, kind, text):
        if kind.optional and not text:
            return Missing("absent")
        if kind.kind == "list":
            return text.split("|") if text else []
        if kind.kind == "money":
            return Money(_number(text, DIGITS[kind.currency]), kind.currency)
        if kind.kind == "double":
            return float(text)
        if kind.kind == "int":
            return int(text)
        return text

    def find(self, args, at):
        date = self.calendar.date(at)
        best = None
        for row in self.rows:
            rank = []
            for column, prefix, arg in zip(self.columns, self.prefix, args):
                cell = row[column]
                if cell == "*":
                    rank.append(0)
                elif cell == arg or prefix and arg.startswith(cell):
                    rank.append(1 + len(cell))
                else:
                    break
            else:
                if self._is_valid(row, date) and (
                        best is None or rank > best[0]):
                    best = rank, row
        if best is None:
            return Missing("row")
        return Row({n: self._cell(kind, best[1][n])
                    for n, kind in self.types.items()})

    def _is_valid(self, row, date):
        if not self.valid:
            return True
        begin, end = (row[column] for column in self.valid)
        return (not begin or parse_date(begin) <= date) and \
            (not end or date <= parse_date(end))


class StreamTable:
    """Rows that a stream gives: all of them, looked through each time."""

    def __init__(self, name, spec, package):
        known = {"stream", "key", "where", "fields", "keep", "max_rows",
                 "max_keys"}
        if set(spec) - known:
            raise Unsupported(f"table {name}: {set(spec) - known}")
        self.stream = package.streams[spec["stream"]]
        self.key = spec["key"] if isinstance(spec["key"], list) \
            else [spec["key"]]
        self.name = name
        self.condition = spec.get("where", "")
        self.where = parse(self.condition) if self.condition else None
        self.package = package
        self.max_rows = int(spec.get("max_rows", 64))
        self.max_keys = int(spec.get("max_keys", 1000000))
        self.keep = span(spec["keep"]) if "keep" in spec else None  # or later
        self.rows = {}  # key -> [(order, fields)], by last write

    def take(self, event, watermark):
        if self.where and evaluate(self.where, _Fields(event, self)) \
                is not True:
            return
        key = tuple(event.fields[name] for name in self.key)
        if any(isinstance(part, Missing) for part in key):
            return
        rows = self.rows.pop(key, [])
        if not rows and len(self.rows) == self.max_keys:
            del self.rows[next(iter(self.rows))]
        rows.append(((event.time, event.coordinates), event.fields))
        rows.sort(key=lambda row: row[0])
        old = [row for row in rows if row[0][0] <= watermark - self.keep]
        self.rows[key] = (old[-1:] + rows[len(old):])[-self.max_rows:]

    def find(self, args, at):
        for order, fields in reversed(self.rows.get(tuple(args), [])):
            if order[0] <= at:
                return Row(fields)
        return Missing("row")


class _Fields(Scope):
    """An event alone."""

    def __init__(self, event, table):
        self.event, self.table = event, table

    def lookup(self, name):
        if name in self.event.fields:
            return self.event.fields[name]
        return evaluate(parse(self.table.package.macros[name]), self)

    def member(self, tree, name):
        if tree == ("name", "lists"):
            return self.table.package.lists[name]
        raise KeyError(name)

    def call(self, name, args):
        return self.table.package.tables[name].find(args, self.event.time)


class Package:
    """All files of one package; several packages are not supported."""

    def __init__(self, paths):
        self.streams, self.tables, self.calendars = {}, {}, {}
        self.sources = {}
        self.lists, self.macros, self.rules = {}, {}, []
        self.folders = {}  # of the file in which a rule stands
        self.overrides = []
        self.name = None
        for path in paths:
            for file in self._files(path):
                self._read(file)
        for override in self.overrides:
            self._override(dict(override))
        specs = dict(self.streams)
        for name, spec in specs.items():
            self.streams[name] = Stream(name, spec, self.calendar(spec))
        for name, spec in self.sources.items():
            base = specs[spec["stream"]]
            self.sources[name] = source_of(
                name, spec, self.streams[spec["stream"]], base,
                self.calendar(base))
        for name, (spec, folder) in self.tables.items():
            self.tables[name] = StreamTable(name, spec, self) \
                if "stream" in spec else \
                Table(name, spec, folder, self.calendar())

    def _files(self, path):
        if os.path.isdir(path):
            return sorted(glob.glob(os.path.join(path, "**", "*.yaml"),
                                    recursive=True))
        return [path]

    def _read(self, file):
        folder = os.path.dirname(file)
        with open(file, encoding="utf-8") as stream:
            spec = pickle.loads(_load(stream.read()))
        if self.name not in (None, spec["package"]):
            raise Unsupported("several packages")
        self.name = spec.pop("package")
        self.streams.update(spec.pop("streams", {}))
        self.sources.update(spec.pop("sources", {}))
        self.macros.update(spec.pop("macros", {}))
        rules = spec.pop("rules", [])
        self.rules += rules
        self.folders.update((rule["rule"], folder) for rule in rules)
        self.overrides += spec.pop("override", [])
        for name, table in spec.pop("tables", {}).items():
            self.tables[name] = table, folder
        for name, calendar in spec.pop("calendars", {}).items():
            self.calendars[name] = Calendar(calendar, folder)
        for name, items in spec.pop("lists", {}).items():
            path = os.path.join(folder, items["file"])
            with open(path, encoding="utf-8") as lines:
                self.lists[name] = _items(lines)
        spec.pop("apiversion")
        left = [key for key in spec if not key.startswith("x-")]
        if left:
            raise Unsupported(f"{file}: {left}")

    def see(self, name, text):
        """Look-ups see another @text of "package/limits" or
        "package/lists.vague" from now on."""
        package, _, name = name.rpartition("/")
        if package != self.name:
            raise Unsupported(f"package {package}")
        if name.startswith("lists."):
            self.lists[name[6:]] = _items(text.splitlines())
        else:
            self.tables[name].rows = _rows(text.splitlines())

    def _override(self, override):
        name, status = override.pop("rule"), override.pop("status")
        if override:
            raise Unsupported(f"override of {set(override)}")
        for rule in self.rules:
            if rule["rule"] == name:
                rule["status"] = status

    def calendar(self, spec=None):
        name = (spec or {}).get("calendar")
        if name:
            return self.calendars[name]
        if len(self.calendars) == 1:
            return next(iter(self.calendars.values()))
        return self.calendars.get("default") or Calendar({}, "")
