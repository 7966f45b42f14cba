"""Expressions: a small part of CEL, read and evaluated over Python values.

int, float, str, bool, list and None are themselves. A time is a Time, a date
a datetime.date, money a Money, a row of a table a Row, and what is not there
a Missing, which travels through operators as an error does in CEL.
"""

import datetime
import math
import re
from fractions import Fraction

from support.oracle import Unsupported

DIGITS = {"CNY": 2, "USD": 2, "EUR": 2, "JPY": 0}


class Missing:
    def __init__(self, reason):
        self.reason = reason

    def __repr__(self):
        return f"missing({self.reason})"


class Time(int):
    """Microseconds since 1970."""


class Span(int):
    """A duration in microseconds."""


class Money:
    __slots__ = ("minor", "currency")

    def __init__(self, minor, currency):
        self.minor = minor
        self.currency = currency

    def __eq__(self, other):
        return isinstance(other, Money) and (
            self.minor, self.currency) == (other.minor, other.currency)

    def __hash__(self):
        return hash((self.minor, self.currency))

    def __repr__(self):
        return f"{self.text()} {self.currency}"

    def text(self):
        digits = DIGITS[self.currency]
        if not digits:
            return str(self.minor)
        sign = "-" if self.minor < 0 else ""
        major, minor = divmod(abs(self.minor), 10 ** digits)
        return f"{sign}{major}.{minor:0{digits}}"

    def major(self):
        return Fraction(self.minor, 10 ** DIGITS[self.currency])


class Row(dict):
    """A row of a table: column -> value."""


TOKEN = re.compile(r"""\s*(?:
    (?P<float>\d+\.\d+(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+)
  | (?P<int>\d+)
  | (?P<str>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<name>[A-Za-z_][A-Za-z_0-9]*)
  | (?P<op>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]])
)""", re.X)


def tokens(text):
    out, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise Unsupported(f"expression {text!r} at {at}")
        out.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    out.append(("end", ""))
    return out


_BINARY = [["||"], ["&&"], ["<", "<=", ">", ">=", "==", "!=", "in"],
           ["+", "-"], ["*", "/", "%"]]


class Parser:
    """Trees are tuples: ('+', a, b), ('call', name, args), ('name', n) …"""

    def __init__(self, text):
        self.text = text
        self.tokens = tokens(text)
        self.at = 0

    def parse(self):
        tree = self.ternary()
        if self.tokens[self.at][0] != "end":
            raise Unsupported(f"expression {self.text!r}: {self.peek()!r}")
        return tree

    def peek(self):
        return self.tokens[self.at][1]

    def take(self, text):
        kind, word = self.tokens[self.at]
        if word == text and kind in ("op", "name"):
            self.at += 1
            return True
        return False

    def need(self, text):
        if not self.take(text):
            raise Unsupported(f"expression {self.text!r}: no {text!r}")

    def ternary(self):
        test = self.binary(0)
        if not self.take("?"):
            return test
        then = self.binary(0)
        self.need(":")
        return "?", test, then, self.ternary()

    def binary(self, rank):
        if rank == len(_BINARY):
            return self.unary()
        left = self.binary(rank + 1)
        while True:
            kind, word = self.tokens[self.at]
            if kind not in ("op", "name") or word not in _BINARY[rank]:
                return left
            self.at += 1
            left = word, left, self.binary(rank + 1)

    def unary(self):
        if self.take("!"):
            return "not", self.unary()
        if self.take("-"):
            return "neg", self.unary()
        tree = self.primary()
        while self.take("."):
            name = self.tokens[self.at][1]
            self.at += 1
            if self.take("("):
                tree = "method", tree, name, self.args(")")
            else:
                tree = "member", tree, name
        return tree

    def args(self, end):
        out = []
        if self.take(end):
            return out
        while True:
            out.append(self.ternary())
            if self.take(end):
                return out
            self.need(",")

    def primary(self):
        kind, word = self.tokens[self.at]
        self.at += 1
        if kind == "int":
            return "literal", int(word)
        if kind == "float":
            return "literal", float(word)
        if kind == "str":
            body = word[1:-1]
            if "\\" in body:
                raise Unsupported("escapes in strings")
            return "literal", body
        if kind == "name":
            if word in ("true", "false"):
                return "literal", word == "true"
            if word == "null":
                return "literal", None
            if self.take("("):
                return "call", word, self.args(")")
            return "name", word
        if word == "(":
            tree = self.ternary()
            self.need(")")
            return tree
        if word == "[":
            return "list", self.args("]")
        raise Unsupported(f"expression {self.text!r}: {word!r}")


_parsed = {}


def parse(text):
    if text not in _parsed:
        _parsed[text] = Parser(text).parse()
    return _parsed[text]


def names(tree):
    """Every name that a tree reads, calls too."""
    if not isinstance(tree, (tuple, list)):
        return set()
    if isinstance(tree, list):
        return set().union(*map(names, tree)) if tree else set()
    out = set()
    if tree[0] == "name":
        return {tree[1]}
    if tree[0] == "call":
        out.add(tree[1])
    if tree[0] == "literal":
        return out
    for part in tree[1:]:
        out |= names(part)
    return out


def half_even(fraction):
    return round(fraction)


def exact(number):
    """A literal as it was written: 0.1 is a tenth."""
    return Fraction(repr(number)) if isinstance(number, float) else \
        Fraction(number)


def as_money(number, currency):
    minor = exact(number) * 10 ** DIGITS[currency]
    if minor.denominator != 1:
        raise Unsupported(f"{number} is not exact in {currency}")
    return Money(int(minor), currency)


def is_number(x):
    return isinstance(x, (int, float)) and \
        not isinstance(x, (bool, Time, Span))


def _pair(a, b):
    """Brings a literal beside money into money."""
    if isinstance(a, Money) and is_number(b):
        return a, as_money(b, a.currency)
    if isinstance(b, Money) and is_number(a):
        return as_money(a, b.currency), b
    return a, b


def _int(value):
    return value if -2 ** 63 <= value < 2 ** 63 else Missing("overflow")


def _money(minor, currency):
    return Money(minor, currency) if -2 ** 63 <= minor < 2 ** 63 \
        else Missing("overflow")


def add(a, b, sign):
    a, b = _pair(a, b)
    if isinstance(a, Money):
        return _money(a.minor + sign * b.minor, a.currency)
    if isinstance(a, str):
        return a + b
    if isinstance(a, datetime.date):
        return (a - b).days
    if isinstance(a, Time) and isinstance(b, Time):
        return Span(int(a) - int(b))
    if isinstance(a, Time):
        return Time(int(a) + sign * int(b))
    if isinstance(a, int) and isinstance(b, int):
        return _int(a + sign * b)
    return float(a) + sign * float(b)


def multiply(a, b):
    if isinstance(b, Money):
        a, b = b, a
    if isinstance(a, Money):
        return _money(half_even(Fraction(a.minor) * Fraction(b)), a.currency)
    if isinstance(a, int) and isinstance(b, int):
        return _int(a * b)
    return float(a) * float(b)


def divide(a, b):
    if isinstance(a, Money) and isinstance(b, Money):
        return a.minor / b.minor if b.minor else Missing("zero")
    if isinstance(a, Money):
        if not b:
            return Missing("zero")
        return _money(half_even(Fraction(a.minor) / Fraction(b)), a.currency)
    if isinstance(a, int) and isinstance(b, int):
        if not b:
            return Missing("zero")
        quotient = abs(a) // abs(b)
        return quotient if (a < 0) == (b < 0) else -quotient
    return float(a) / float(b) if b else Missing("zero")


def ratio(a, b):
    a, b = _pair(a, b)
    if isinstance(a, Money):
        a, b = a.minor, b.minor
    return a / b if b else Missing("zero")


def compare(op, a, b):
    a, b = _pair(a, b)
    if isinstance(a, Money):
        a, b = a.minor, b.minor
    if is_number(a) and is_number(b):
        a, b = Fraction(a), Fraction(b)
    if op == "==":
        return a == b
    if op == "!=":
        return a != b
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]


def _greatest(args, sign):
    best = args[0]
    for other in args[1:]:
        if compare(">" if sign > 0 else "<", other, best):
            best = other
    return best


def num(x):
    return float(x.major()) if isinstance(x, Money) else float(x)


def duration(text):
    found = re.fullmatch(r"(\d+)([smh])", text)
    if not found:
        raise Unsupported(f"duration {text}")
    return Span(int(found[1]) * 10 ** 6 *
                {"s": 1, "m": 60, "h": 3600}[found[2]])


FUNCTIONS = {
    "duration": duration,
    "ratio": ratio,
    "num": num,
    "wan": lambda n: multiply(n, 10 ** 4),
    "yi": lambda n: multiply(n, 10 ** 8),
    "greatest": lambda *args: _greatest(args, 1),
    "least": lambda *args: _greatest(args, -1),
    "size": len,
    "prefix": lambda text, n: text[:n],
    "double": num,
    "int": int,
    "round": lambda x: math.copysign(math.floor(abs(x) + 0.5), x),
    "prefix": lambda text, n: text[:n],
}

METHODS = {
    "trim": str.strip,
    "replace": str.replace,
    "indexOf": str.find,
    "substring": lambda text, *at: text[slice(*at)],
}


class Scope:
    """Where names come from: lookup(name), table(name, args), zscore …

    A subclass gives lookup() and call(); both raise KeyError for what they
    do not know.
    """

    def lookup(self, name):
        raise KeyError(name)

    def member(self, tree, name):
        """x.y where x is no value: an alias, params, a baseline."""
        raise KeyError(name)

    def method(self, tree, name, args):
        raise KeyError(name)

    def call(self, name, args):
        raise KeyError(name)


def evaluate(tree, scope):
    kind = tree[0]
    if kind == "literal":
        return tree[1]
    if kind == "name":
        try:
            return scope.lookup(tree[1])
        except KeyError:
            raise Unsupported(f"name {tree[1]}") from None
    if kind == "list":
        out = [evaluate(item, scope) for item in tree[1]]
        return next((x for x in out if isinstance(x, Missing)), out)
    if kind in ("&&", "||"):
        return _logic(tree, scope, kind == "||")
    if kind == "?":
        test = evaluate(tree[1], scope)
        if isinstance(test, Missing):
            return test
        return evaluate(tree[2] if test else tree[3], scope)
    if kind == "call":
        return _call(tree, scope)
    if kind == "member":
        return _member(tree, scope)
    if kind == "method":
        args = [evaluate(a, scope) for a in tree[3]]
        missing = [a for a in args if isinstance(a, Missing)]
        if missing:
            return missing[0]
        if tree[2] in METHODS:
            value = evaluate(tree[1], scope)
            return value if isinstance(value, Missing) else \
                METHODS[tree[2]](value, *args)
        try:
            return scope.method(tree[1], tree[2], args)
        except KeyError:
            raise Unsupported(f"method {tree[2]}") from None
    args = [evaluate(a, scope) for a in tree[1:]]
    missing = [a for a in args if isinstance(a, Missing)]
    if missing:
        return missing[0]
    return _operate(kind, args)


def _operate(kind, args):
    if kind == "not":
        return not args[0]
    if kind == "neg":
        x = args[0]
        return Money(-x.minor, x.currency) if isinstance(x, Money) else -x
    if kind == "in":
        return any(compare("==", args[0], x) for x in args[1])
    if kind == "%":
        return int(math.fmod(*args)) if args[1] else Missing("zero")
    if kind in ("+", "-"):
        return add(*args, 1 if kind == "+" else -1)
    if kind == "*":
        return multiply(*args)
    if kind == "/":
        return divide(*args)
    if kind in ("==", "!=", "<", "<=", ">", ">="):
        return compare(kind, *args)
    raise Unsupported(f"operator {kind}")


def _logic(tree, scope, absorbing):
    """A side that decides alone absorbs what is missing on the other."""
    missing = None
    for side in tree[1:]:
        value = evaluate(side, scope)
        if isinstance(value, Missing):
            missing = missing or value
        elif value == absorbing:
            return absorbing
    return missing or (not absorbing)


def _call(tree, scope):
    name, args = tree[1], tree[2]
    if name == "has":
        return not isinstance(evaluate(args[0], scope), Missing)
    if name == "default":
        value = evaluate(args[0], scope)
        return evaluate(args[1], scope) if isinstance(value, Missing) \
            else value
    values = [evaluate(a, scope) for a in args]
    missing = [v for v in values if isinstance(v, Missing)]
    if missing:
        return missing[0]
    if name in FUNCTIONS:
        return FUNCTIONS[name](*values)
    try:
        return scope.call(name, values)
    except KeyError:
        raise Unsupported(f"function {name}()") from None


def _member(tree, scope):
    try:
        return scope.member(tree[1], tree[2])
    except KeyError:
        pass
    value = evaluate(tree[1], scope)
    if isinstance(value, Missing):
        return value
    if isinstance(value, Row):
        return value[tree[2]]
    raise Unsupported(f"member {tree[2]}")


def parse_date(text):
    if isinstance(text, datetime.date):
        return text
    return datetime.date.fromisoformat(text)
