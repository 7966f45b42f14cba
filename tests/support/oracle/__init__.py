"""The oracle: what the alerts ought to be, computed a second time.

A naive, slow program that reads the rules, the records of the topics and the
order in which the daemon took them (its journal), and nothing else of the
daemon. It shares no code with it: windows are lists that are scanned, sums
are Python's integers, baselines are computed from all events each time.

The language it knows is what the shipped rules and tests/e2e/rules need:
- streams of JSON with fields string, int, bool, double, date, timestamp,
  money, enum, `optional`; id, id_for, max_delay, max_skew; times in RFC 3339;
- where, macros, let, params, tables (effective-dated, prefix keys), lists;
- windows: none, sliding (exact, or in panes), calendar; one or several
  streams, aliases with filters; a clock time of `every`;
- count, sum, count_if, sum_if, share, mean, min, max, median, distinct,
  first, last, latest, streak, max_repeat, with a coarser `by`;
- baselines over calendar windows (over, only, align, empty) and over peers
  (of a field or let, while their cohort holds no more than 4,096 values):
  median_mad, median, mean_sd, iqr; min_samples, min_spread;
- alert_if, level, resolve_if, per, cooldown, refresh, review_within,
  exceptions, late, on_missing: skip.
It stops with Unsupported where a rule asks for more; it never guesses.
"""


class Unsupported(Exception):
    """The rules ask for something the oracle does not know."""
