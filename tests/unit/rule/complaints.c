/*
 * What the loader says of each kind of mistake, word for word.
 */
#include "world.h"

#include <errno.h>

/* A rule that is right but for what a case puts behind it. */
#define RULE                                                                   \
	"apiversion: 1\n"                                                      \
	"package: p\n"                                                         \
	"rules:\n"                                                             \
	"- rule: r\n"                                                          \
	"  from: payments\n"

#define UNTIL(more)                                                            \
	"  window: {until: {as: end, from: payments}, max: 9d" more "}\n"

struct mistake {
	const char *rules;
	const char *complaint;
};

static void check(struct world *world, const struct mistake *mistake) {
	CLEANUP(buf_free) struct buf got = { 0 };

	diag_free(&world->diag);
	world->n_files = 0;
	put_file(world, "a.yaml", STREAMS);
	put_file(world, "b.yaml", mistake->rules);
	load_with(world, NULL);
	complaints(world, &got);
	if (strcmp(buf_cstr(&got), mistake->complaint) != 0)
		print_message("%s", mistake->rules);
	assert_string_equal(buf_cstr(&got), mistake->complaint);
}

static void check_all(void **state, const struct mistake *mistakes, size_t n) {
	for (size_t i = 0; i < n; i++)
		check(*state, &mistakes[i]);
}

#define CASES(name, ...)                                                       \
	static void name(void **state) {                                       \
		static const struct mistake mistakes[] = { __VA_ARGS__ };      \
		check_all(state, mistakes, ARRAY_SIZE(mistakes));              \
	}

/* rules.md, section 2: words of other systems, and what is meant here. */
static void knows_the_words_of_other_systems(void **state) {
	static const struct {
		const char *theirs, *ours;
	} words[] = {
		{ "query_key", "by" },     { "group-by", "by" },
		{ "timeframe", "window" }, { "timespan", "window" },
		{ "realert", "cooldown" }, { "filter", "where" },
		{ "condition", "where" },  { "severity", "level" },
		{ "priority", "level" },   { "name", "rule" },
		{ "expr", "alert_if" },    { "description", "desc" },
		{ "enabled", "status" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		CLEANUP(buf_free) struct buf rule = { 0 };
		CLEANUP(buf_free) struct buf want = { 0 };

		buf_printf(&rule, RULE "  alert_if: amount > 1\n  %s: x\n",
			   words[i].theirs);
		buf_printf(&want,
			   "b.yaml:7:3+%zu E110 a rule has no key `%s`; here "
			   "it is called `%s`\n",
			   strlen(words[i].theirs), words[i].theirs,
			   words[i].ours);
		check(*state,
		      &(struct mistake){ buf_cstr(&rule), buf_cstr(&want) });
	}
	check(*state, &(struct mistake){
			      RULE "  alert_if: amount > 1\n  on: x\n",
			      "b.yaml:7:3+2 E108 YAML 1.1 tools read the "
			      "key `on` as true; call it otherwise\n"
			      "b.yaml:7:3+2 E110 a rule has no key `on`\n" });
}

CASES(shows_unknown_keys_and_suggests,
      { RULE "  alert_iff: 'true'\n",
	"b.yaml:4:9+1 E112 rule `r` lacks `alert_if`\n"
	"b.yaml:6:3+9 E110 a rule has no key `alert_iff` (did you mean "
	"`alert_if`?)\n" },
      { RULE "  alert_if: amount > 1\n  timeframe: 30d\n",
	"b.yaml:7:3+9 E110 a rule has no key `timeframe`; here it is called "
	"`window`\n" },
      { RULE "  alert_if: amount > 1\n  query_key: [unit]\n",
	"b.yaml:7:3+9 E110 a rule has no key `query_key`; here it is called "
	"`by`\n" },
      { RULE "  alert_if: amount > 1\n  for: 5bd\n",
	"b.yaml:7:3+3 E111 `for` is not in this release\n" },
      { "apiversion: 1\npackage: p\nscores: []\nrulez: []\n",
	"b.yaml:3:1+6 E111 `scores` is not in this release\n"
	"b.yaml:4:1+5 E110 a package has no key `rulez` (did you mean "
	"`rules`?)\n" },
      { "apiversion: 2\npackage: p\n",
	"b.yaml:1:13+1 E301 `apiversion` is 1, not `2`\n" },
      { "package: p\n", "b.yaml:1:1+0 E112 the file lacks `apiversion: 1`\n" },
      { "apiversion: 1\n",
	"b.yaml:1:1+0 E112 the file lacks `package`: whose rules are these\n" },
      { RULE "  alert_if: amount > 1\n  x-note: fine\n", "" })

CASES(shows_unknown_names_and_suggests,
      { RULE "  where: ammount > 1\n  alert_if: 'true'\n",
	"b.yaml:6:10+7 E203 stream `payments` has no field `ammount` (did you "
	"mean `amount`?)\n" },
      { RULE "  alert_if: ammount > 1\n",
	"b.yaml:6:13+7 E203 rule `r` knows no `ammount` (did you mean "
	"`amount`?)\n" },
      { RULE "  by: [unti]\n  alert_if: amount > 1\n",
	"b.yaml:6:8+4 E203 stream `payments` has no field `unti` (did you mean "
	"`unit`?)\n" },
      { "apiversion: 1\npackage: p\nrules:\n- rule: r\n"
	"  from: paymnets\n  alert_if: 'true'\n",
	"b.yaml:5:9+8 E203 there is no stream `paymnets` (did you mean "
	"`payments`?)\n" },
      { RULE "  from: alerts\n",
	"b.yaml:4:9+1 E112 rule `r` lacks `alert_if`\n"
	"b.yaml:6:3+4 E101 key `from` appears twice (first at line 5)\n" },
      { RULE "  alert_if: amount > params.floor\n  params: {flor: 1}\n",
	"b.yaml:6:22+12 E203 rule `r` has no param `floor` (did you mean "
	"`flor`?)\n" },
      { RULE "  alert_if: unit in lists.watch\n",
	"b.yaml:6:13+19 E203 there is no list `watch`\n" },
      { RULE "  alert_if: limits(unit).open > amount\n",
	"b.yaml:6:13+6 E204 there is no function `limits`\n" },
      { RULE "  alert_if: state == 'opne'\n",
	"b.yaml:6:22+6 E208 'opne' is not one of enum[open, paid, void] (did "
	"you mean 'open'?)\n" },
      { RULE "  calendar: us\n  alert_if: 'true'\n",
	"b.yaml:6:13+2 E203 there is no calendar `us`\n" })

#define LISTS                                                                  \
	"apiversion: 1\npackage: p\nstreams:\n"                                \
	"  joint: {time: at, fields: {id: string, ids: list(string), ns: "     \
	"list(int), at: date}}\n"                                              \
	"rules:\n- rule: r\n  from: joint\n"

CASES(says_what_each_goes_through,
      { LISTS "  each: ids\n  alert_if: 'true'\n",
	"b.yaml:8:9+3 E301 `each` is a list and a name for its element, such "
	"as `supplier_ids as supplier`, not `ids`\n" },
      { LISTS "  each: idss as one\n  alert_if: one == 'a'\n",
	"b.yaml:8:9+11 E203 stream `joint` has no list `idss` (did you mean "
	"`ids`?)\n" },
      { LISTS "  each: id as one\n  alert_if: one == 'a'\n",
	"b.yaml:8:9+9 E206 `each` goes through a list, and `id` of stream "
	"`joint` is none\n" },
      { LISTS "  each: ids as id\n  alert_if: id == 'a'\n",
	"b.yaml:8:9+9 E233 stream `joint` has a field `id`; call the element "
	"otherwise\n" },
      { LISTS "  each: ns as n\n  alert_if: n == 'a'\n",
	"b.yaml:9:15+2 E206 `==` between int and string\n" },
      { LISTS "  each: ids as one\n  window: 1d\n"
	      "  measure: {one: count()}\n  alert_if: one > 1\n",
	"b.yaml:10:13+3 E233 measure `one` hides the field of that name; call "
	"it otherwise\n" },
      { LISTS "  each: ids as one\n  alert_if: on == 'a'\n",
	"b.yaml:9:13+2 E203 rule `r` knows no `on` (did you mean `one`?)\n" })

CASES(says_what_a_name_cannot_be_where_it_stands,
      { RULE "  window: 1d\n  measure: {n: count()}\n  where: n > 1\n"
	     "  alert_if: n > 1\n",
	"b.yaml:8:10+1 E235 `n` is a measure, and `where` sees one event "
	"alone\n" },
      { RULE "  where: now > paid_at\n  alert_if: 'true'\n",
	"b.yaml:6:10+3 E235 `now` is the key's clock, and `where` sees one "
	"event alone\n" },
      { RULE "  where: prev.amount > amount\n  alert_if: 'true'\n",
	"b.yaml:6:10+11 E235 `prev` is the key's event before, and `where` "
	"sees one event alone\n" },
      { RULE "  let: {x: y + 1, y: bidders}\n  alert_if: x > 1\n",
	"b.yaml:6:12+1 E238 let `y` is used before it is defined\n" },
      { RULE "  let: {x: x + 1}\n  alert_if: x > 1\n",
	"b.yaml:6:12+1 E238 let `x` is used before it is defined\n" },
      { RULE "  by: ['amount * 2']\n  alert_if: 'true'\n",
	"b.yaml:6:8+12 E235 `by` takes fields or lets, not expressions; give "
	"`amount * 2` a name with `let`\n" },
      { RULE "  let: {big: n > 1}\n  by: [big]\n  window: 1d\n"
	     "  measure: {n: count()}\n  alert_if: n > 1\n",
	"b.yaml:6:14+1 E235 `n` is a measure, and `by` sees one event "
	"alone\n" },
      { RULE "  let: {day: date(now)}\n  by: [day]\n  alert_if: 'true'\n",
	"b.yaml:6:19+3 E235 `now` is the key's clock, and `by` sees one event "
	"alone\n" },
      { RULE "  let: {x: x + 'a'}\n  by: [x]\n  alert_if: 'true'\n",
	"b.yaml:6:12+1 E210 `x` stands for itself, or names are nested more "
	"than 32 deep\n" },
      { RULE "  let: {us: '[unit, payee]'}\n  by: [us]\n"
	     "  alert_if: 'true'\n",
	"b.yaml:7:8+2 E206 a key cannot be list(string)\n" },
      { RULE "  window: 1d\n  measure: {amount: sum(amount)}\n"
	     "  alert_if: amount > 1\n",
	"b.yaml:7:13+6 E233 measure `amount` hides the field of that name; "
	"call it otherwise\n" },
      { RULE "  window: {calendar: month}\n  measure: {n: count()}\n"
	     "  baseline: {u: {of: n, over: 3}}\n  alert_if: u > 1.0\n",
	"b.yaml:9:13+1 E235 `u` is a baseline, and has .mid .spread .n .z(x) "
	".lo(k) .hi(k) .q(p)\n" },
      { RULE "  window: {calendar: month}\n  measure: {n: count()}\n"
	     "  baseline: {u: {of: n, over: 3, stat: median}}\n"
	     "  alert_if: u.z(n) > 1.0\n",
	"b.yaml:9:13+6 E235 a baseline with `stat: median` has no spread, so "
	"no `u.z`; take median_mad, mean_sd or iqr\n" })

CASES(says_what_a_measure_must_be,
      { RULE "  window: 1d\n  measure: {s: sum(payee)}\n  alert_if: "
	     "'true'\n",
	"b.yaml:7:20+5 E237 sum cannot take string; it is sum(x: "
	"int|double|money|duration): type of x\n" },
      { RULE "  window: 1d\n  measure: {s: summ(amount)}\n  alert_if: "
	     "'true'\n",
	"b.yaml:7:16+4 E203 there is no aggregate `summ` (did you mean "
	"`sum`?)\n" },
      { RULE "  window: 1d\n  measure: {s: rate(unit)}\n  alert_if: 'true'\n",
	"b.yaml:7:16+4 E111 `rate` is not in this release\n" },
      { RULE "  window: 1d\n  measure: {s: 'benford(amount, 1)'}\n"
	     "  alert_if: s > 0.1 || s.mod > 0.1\n",
	"b.yaml:8:13+1 E235 measure `s` has several results: s.chi2 s.mad "
	"s.n\n"
	"b.yaml:8:24+5 E235 measure `s` has several results: s.chi2 s.mad "
	"s.n\n" },
      { RULE "  window: 1d\n  measure: {s: 'benford(amount, 3)'}\n"
	     "  alert_if: s.n > 1\n",
	"b.yaml:7:33+1 E236 the last argument of benford is a whole number "
	"from 1 to 2\n" },
      { RULE "  window: 1d\n  measure: {s: 'hhi(unit, payee)'}\n"
	     "  alert_if: s > 0.1\n",
	"b.yaml:7:27+5 E237 hhi cannot weigh by string; it is hhi(x, weight: "
	"int|double|money optional): double\n" },
      { RULE "  window: 1d\n  measure: {s: 'hhi(unit, 1, 2)'}\n"
	     "  alert_if: s > 0.1\n",
	"b.yaml:7:17+3 E236 hhi takes 1 or 2 arguments, not 3: it is hhi(x, "
	"weight: int|double|money optional): double\n" },
      { RULE "  window: 1d\n  measure: {s: 'nth(amount, 0)'}\n"
	     "  alert_if: s > 1\n",
	"b.yaml:7:29+1 E236 the last argument of nth is a whole number from 1 "
	"to 65536\n" },
      { RULE "  window: 1d\n  measure: {s: sum(amount) * 2}\n"
	     "  alert_if: 'true'\n",
	"b.yaml:7:16+15 E236 a measure is one aggregate, such as sum(amount); "
	"arithmetic goes into `let`\n" },
      { RULE "  window: 1d\n  measure: {s: sum()}\n  alert_if: 'true'\n",
	"b.yaml:7:16+3 E236 sum takes 1 argument, not 0: it is sum(x: "
	"int|double|money|duration): type of x\n" },
      { RULE "  window: 1d\n  measure: {s: count(amount)}\n"
	     "  alert_if: 'true'\n",
	"b.yaml:7:22+6 E236 count takes nothing, or one of the streams of "
	"`from`; for a condition take count_if\n" },
      { RULE "  window: 1d\n  measure: {s: 'quantile(amount, 7)'}\n"
	     "  alert_if: 'true'\n",
	"b.yaml:7:34+1 E236 the last argument of quantile is a number from 0 "
	"to 1\n" },
      { RULE "  window: {sliding: 10d, panes: 5}\n"
	     "  measure: {d: distinct(payee)}\n  alert_if: d > 1\n",
	"b.yaml:7:16+15 E306 distinct of string needs the raw entries of the "
	"window, and panes keep none; leave `panes` out\n" },
      { RULE "  by: [unit]\n  window: 1d\n"
	     "  measure: {d: {agg: count(), by: [payee]}}\n"
	     "  alert_if: d > 1\n",
	"b.yaml:8:36+5 E203 a coarser key is a part of the rule's `by`, which "
	"has no `payee`\n" })

CASES(says_what_a_window_and_a_baseline_must_be,
      { RULE "  window: 1mo\n  alert_if: 'true'\n",
	"b.yaml:6:11+3 E303 `window` needs a fixed length (s m h d w), and "
	"`1mo` is as long as the calendar makes it\n" },
      { RULE "  window: 3x\n  alert_if: 'true'\n",
	"b.yaml:6:11+2 E303 `window` is a duration such as 90s, 24h, 30d, 5bd, "
	"3mo or 1y, not `3x`\n" },
      { RULE "  window: {calendar: mouth}\n  alert_if: 'true'\n",
	"b.yaml:6:22+5 E301 `calendar` is day, week, month, quarter, year, "
	"fiscal_year or fiscal_quarter, not `mouth` (did you mean "
	"`month`?)\n" },
      { RULE "  window: {tumble: 1d, last: 5}\n  alert_if: 'true'\n",
	"b.yaml:6:11+1 E305 a window is one of sliding, tumble, calendar, "
	"last, session and until\n" },
      { RULE "  window: {sliding: 1d, panes: 7}\n  alert_if: 'true'\n",
	"b.yaml:6:32+1 E302 the window is not a multiple of 7 panes\n" },
      { RULE "  window: 1d\n  measure: {n: count()}\n"
	     "  baseline: {u: {of: n, over: 3}}\n  alert_if: n > 1\n",
	"b.yaml:8:17+1 E305 a baseline looks at past periods, so the window "
	"must be tumbling or of the calendar\n" },
      { RULE "  window: {calendar: month}\n  measure: {n: max(amount)}\n"
	     "  baseline: {u: {of: n, over: 3, align: workday}}\n"
	     "  alert_if: n > 1\n",
	"b.yaml:8:41+7 E305 only count, count_if, sum and sum_if can be "
	"compared at the same workday; `max(amount)` needs `align: whole`\n" },
      { RULE "  window: {calendar: month}\n  measure: {n: count()}\n"
	     "  baseline: {u: {of: m, over: 3}}\n  alert_if: n > 1\n",
	"b.yaml:8:22+1 E203 a baseline is `of` a measure, and there is no "
	"`m`\n" },
      { RULE "  window: {calendar: day}\n  measure: {n: count()}\n"
	     "  baseline: {u: {of: n, over: 3, only: same_month}}\n"
	     "  alert_if: n > 1\n",
	"b.yaml:8:40+10 E305 `only: same_month` needs a window of calendar "
	"months\n" },
      { RULE "  window: {calendar: month}\n  measure: {n: count()}\n"
	     "  baseline: {u: {of: n, over: 3, stat: ewma}}\n"
	     "  alert_if: n > 1\n",
	"b.yaml:8:40+4 E111 `ewma` is not in this release\n" },
      { RULE "  window: {calendar: month}\n  measure: {n: count()}\n"
	     "  baseline: {u: {of: n, over: 3, min_samples: 4}}\n"
	     "  alert_if: n > 1\n",
	"b.yaml:8:17+1 E302 `min_samples` is 4, but there are only 3 "
	"periods\n" })

CASES(says_what_a_session_and_until_must_be,
      { RULE "  window: {session: 1mo}\n  alert_if: 'true'\n",
	"b.yaml:6:21+3 E303 `session` needs a fixed length (s m h d w), and "
	"`1mo` is as long as the calendar makes it\n" },
      { RULE "  window: {session: 0s}\n  alert_if: 'true'\n",
	"b.yaml:6:21+2 E303 a session goes on for some time without an event, "
	"so its pause cannot be nothing\n" },
      { RULE "  window: {session: 2h, max: 5bd}\n  alert_if: 'true'\n",
	"b.yaml:6:30+3 E303 `max` is a length such as 90d or 1y\n" },
      { RULE "  window: {session: 2h, judge: each}\n  alert_if: 'true'\n",
	"b.yaml:6:32+4 E305 `judge` goes with `until`, `calendar` and "
	"`tumble`\n" },
      { RULE "  window: {calendar: day, judge: once}\n  alert_if: 'true'\n",
	"b.yaml:6:34+4 E301 `judge` is close or each, not `once`\n" },
      { RULE "  by: [unit]\n  window: {calendar: day, judge: close}\n"
	     "  per: key\n  alert_if: 'true'\n",
	"b.yaml:8:8+3 E305 a window that is judged once, at its close, raises "
	"an alert that stands for review as one of an event does; `per: key` "
	"goes with `judge: each`\n" },
      { RULE "  window: {tumble: 1d, judge: close}\n  every: 1d at 07:00\n"
	     "  alert_if: 'true'\n",
	"b.yaml:7:10+11 E305 this window is judged once, at its close; `every` "
	"goes with `judge: each`\n" },
      { RULE "  window: {sliding: 2h, max: 1d}\n  alert_if: 'true'\n",
	"b.yaml:6:11+1 E305 `max` goes with `last`, `session` and `until`\n" },
      { RULE "  by: [unit]\n  window: {session: 2h}\n"
	     "  measure: {n: {agg: count(), by: []}}\n  alert_if: n > 1\n",
	"b.yaml:8:35+1 E111 a coarser key of a session or until window is not "
	"in this release\n" },
      { RULE "  window: {session: 2h}\n  measure: {n: count()}\n"
	     "  baseline: {u: {of: n, over: 3}}\n  alert_if: n > 1\n",
	"b.yaml:8:17+1 E305 a baseline looks at past periods, so the window "
	"must be tumbling or of the calendar\n" },
      { RULE "  window: {until: {as: end, from: payments}}\n"
	     "  alert_if: 'true'\n",
	"b.yaml:6:11+1 E112 `until` lacks `max`: how long a window waits for "
	"an event that may never come\n" },
      { RULE "  window: {until: {as: end}, max: 9d}\n  alert_if: 'true'\n",
	"b.yaml:6:19+1 E112 `until` lacks `from`: which stream closes the "
	"window\n" },
      { RULE "  window: {until: awards, max: 9d}\n  alert_if: 'true'\n",
	"b.yaml:6:19+6 E203 there is no stream `awards`\n" },
      { RULE "  window: {until: payments, max: 9d}\n  alert_if: 'true'\n",
	"b.yaml:6:19+8 E231 `payments` is a stream of `from`; name what closes "
	"the window: until: {as: …, from: payments}\n" },
      { RULE "  window: {until: {as: end, from: payments, when: x}, max: 9d}\n"
	     "  alert_if: 'true'\n",
	"b.yaml:6:45+4 E110 `until` has no key `when`\n" },
      { RULE "  window: {until: {as: end, from: payments, where: ammount > "
	     "1}, max: 9d}\n  alert_if: 'true'\n",
	"b.yaml:6:52+7 E203 stream `payments` has no field `ammount` (did you "
	"mean `amount`?)\n" },
      { RULE UNTIL(", judge: never") "  alert_if: 'true'\n",
	"b.yaml:6:62+5 E301 `judge` is close or each, not `never`\n" },
      { RULE UNTIL("") "  per: key\n  alert_if: 'true'\n",
	"b.yaml:7:8+3 E305 a window that is judged once, at its close, raises "
	"an alert that stands for review as one of an event does; `per: key` "
	"goes with `judge: each`\n" },
      { RULE UNTIL(", judge: each") "  per: event\n  alert_if: 'true'\n",
	"b.yaml:7:8+5 E305 `judge: each` follows a window while it is open, so "
	"it goes with `per: key`\n" },
      { RULE UNTIL("") "  every: 1d\n  alert_if: 'true'\n",
	"b.yaml:7:10+2 E305 this window is judged once, at its close; `every` "
	"goes with `judge: each`\n" },
      { RULE UNTIL("") "  resolve_if: amount < 1\n  alert_if: 'true'\n",
	"b.yaml:7:15+10 E305 an alert of an event is closed by people or by "
	"`review_within`; `resolve_if` goes with `per: key`\n" },
      { RULE UNTIL("") "  measure: {n: sum(end.amount)}\n  alert_if: n > 1\n",
	"b.yaml:7:16+3 E236 `end` closes the window and is not measured in "
	"it; its fields can be read in `let` and the conditions\n" },
      { RULE UNTIL("") "  measure: {n: count(end)}\n  alert_if: n > 1\n",
	"b.yaml:7:22+3 E236 count takes nothing, or one of the streams of "
	"`from`; for a condition take count_if\n" },
      { RULE UNTIL("") "  alert_if: prev.end.amount > 1\n",
	"b.yaml:7:13+15 E235 `end` closes the window, and `prev` is of the "
	"events in it\n" },
      { RULE "  by: {u: {payments: unit}}\n" UNTIL("") "  alert_if: 'true'\n",
	"b.yaml:6:11+1 E112 key `u` lacks `end`\n" })

#define PEERS(more)                                                            \
	RULE "  baseline: {u: {of: amount, over: 30d" more "}}\n"              \
	     "  alert_if: amount > u.mid\n"

CASES(says_what_peers_must_be, { PEERS(", peers: [unit]"), "" },
      { PEERS(", peers: [unti]"),
	"b.yaml:6:49+4 E203 stream `payments` has no field `unti` (did you "
	"mean `unit`?)\n" },
      { PEERS(", peers: unit"),
	"b.yaml:6:48+4 E104 `peers` must be a list, this is a text\n" },
      { PEERS(", peers: []"),
	"b.yaml:6:48+1 E302 `peers` names 1 to 16 fields\n" },
      { PEERS(", peers: [unit, unit]"),
	"b.yaml:6:55+4 E231 `unit` stands twice\n" },
      { PEERS(", peers: ['unit + payee']"),
	"b.yaml:6:49+14 E235 `peers` takes fields or lets, not expressions; "
	"give `unit + payee` a name with `let`\n" },
      { PEERS(", peers: [unit], fallback: [payee]"),
	"b.yaml:6:67+5 E104 `fallback` must be a list, this is a text\n" },
      { PEERS(", peers: [unit], exclude_same: payee"),
	"b.yaml:6:70+5 E104 `exclude_same` must be a list, this is a "
	"text\n" },
      { PEERS(", peers: [unit], only: same_month, align: whole"),
	"b.yaml:6:62+10 E305 `only` goes with past periods of the key, not "
	"with `peers`\n"
	"b.yaml:6:81+5 E305 `align` goes with past periods of the key, not "
	"with `peers`\n" },
      { PEERS(", peers: [unit], min_samples: 70000"),
	"b.yaml:6:69+5 E302 `min_samples` is a whole number from 1 to 65536, "
	"not `70000`\n" },
      { RULE "  baseline: {u: {over: 1d, peers: [unit]}}\n"
	     "  alert_if: u.n > 1\n",
	"b.yaml:6:17+1 E112 a baseline lacks `of`\n" },
      { RULE "  baseline: {u: {of: payee, over: 1d, peers: [unit]}}\n"
	     "  alert_if: u.n > 1\n",
	"b.yaml:6:22+5 E206 a baseline is of numbers or money, `payee` is "
	"string\n" },
      { RULE "  window: 1d\n  measure: {n: count()}\n"
	     "  baseline: {u: {of: n, over: 1d, peers: [unit]}}\n"
	     "  alert_if: u.n > 1\n",
	"b.yaml:8:22+1 E305 peers of a measure are its values when a window is "
	"over, so the window must be tumbling, of the calendar, a session or "
	"until\n" },
      { RULE "  by: [unit]\n  window: {calendar: day}\n"
	     "  measure: {n: {agg: count(), by: []}, t: last(payee)}\n"
	     "  baseline: {u: {of: n, over: 1d, peers: [unit]}, v: {of: t, "
	     "over: 1d, peers: [unit]}}\n  alert_if: u.n > 1\n",
	"b.yaml:9:22+1 E305 a baseline is of the rule's own key, and `n` is of "
	"a coarser one\n"
	"b.yaml:9:59+1 E206 a baseline is of numbers or money, `t` is "
	"string\n" },
      { RULE "  baseline: {u: {of: amount, peers: [unit]}}\n"
	     "  alert_if: u.n > 1\n",
	"b.yaml:6:17+1 E112 a baseline lacks `over`: how long the value of a "
	"peer counts\n" },
      { RULE "  baseline: {u: {of: amount, over: 12, peers: [unit]}}\n"
	     "  alert_if: u.n > 1\n",
	"b.yaml:6:36+2 E303 `over` is a duration such as 90s, 24h, 30d, 5bd, "
	"3mo or 1y, not `12`\n" },
      { RULE "  baseline: {u: {of: amount, over: 1y, peers: [unit]}}\n"
	     "  alert_if: u.n > 1\n",
	"b.yaml:6:36+2 E303 `over` needs a fixed length (s m h d w), and `1y` "
	"is as long as the calendar makes it\n" },
      { RULE "  window: {calendar: month}\n  measure: {n: count()}\n"
	     "  baseline: {u: {of: n, over: 3, exclude_same: [unit]}}\n"
	     "  alert_if: u.n > 1\n",
	"b.yaml:8:48+1 E305 `exclude_same` goes with `peers`\n" },
      { RULE "  baseline: {u: {of: amount, over: 1d, peers: [unit], stat: "
	     "median}}\n  alert_if: u.q(1.5) > amount || u.q(amount) > "
	     "amount || u.q() > amount || u.q(0.5) > amount\n",
	"b.yaml:7:13+8 E206 `u.q` takes a constant from 0 to 1\n"
	"b.yaml:7:34+11 E206 `u.q` takes a constant from 0 to 1\n"
	"b.yaml:7:58+5 E206 `u.q` takes a constant from 0 to 1\n" },
      { RULE "  baseline: {u: {of: amount, over: 1d, peers: [unit], stat: "
	     "median}}\n  alert_if: u.z(amount) > 1.0\n",
	"b.yaml:7:13+11 E235 a baseline with `stat: median` has no spread, so "
	"no `u.z`; take median_mad, mean_sd or iqr\n" })

CASES(says_what_values_are_possible,
      { RULE "  status: lvie\n  alert_if: amount > 1\n",
	"b.yaml:6:11+4 E301 `status` is draft, test, live or deprecated, not "
	"`lvie` (did you mean `live`?)\n" },
      { RULE "  per: group\n  alert_if: amount > 1\n",
	"b.yaml:6:8+5 E301 `per` is key or event, not `group`\n" },
      { RULE "  cooldown: soon\n  alert_if: amount > 1\n",
	"b.yaml:6:13+4 E303 `cooldown` is a duration such as 90s, 24h, 30d, "
	"5bd, 3mo or 1y, not `soon`\n" },
      { RULE "  max_entries: 0\n  alert_if: amount > 1\n",
	"b.yaml:6:16+1 E302 `max_entries` is a whole number from 1 to 1048576, "
	"not `0`\n" },
      { RULE "  every: 1d at 25:00\n  per: key\n  alert_if: amount > 1\n",
	"b.yaml:6:10+11 E303 `every` is such as `1h` or `1d at 07:00`, not `1d "
	"at 25:00`\n" },
      { RULE "  every: 1d\n  per: event\n  alert_if: amount > 1\n",
	"b.yaml:6:10+2 E305 `every` judges without an event, so it goes with "
	"`per: key`\n" },
      { RULE "  resolve_if: amount < 1\n  alert_if: amount > 1\n",
	"b.yaml:6:15+10 E305 an alert of an event is closed by people or by "
	"`review_within`; `resolve_if` goes with `per: key`\n" },
      { RULE "  level: crimson\n", "b.yaml:6:10+7 E301 `level` is green, "
				   "yellow, orange or red, not `crimson`\n" },
      { RULE "  level: {crimson: 'true'}\n",
	"b.yaml:6:11+7 E110 `level` has no key `crimson`\n" },
      { RULE "  tags: a\n  alert_if: amount > 1\n",
	"b.yaml:6:9+1 E104 `tags` must be a list, this is a text\n" },
      { RULE "  alert_if: [a]\n",
	"b.yaml:6:13+1 E104 `alert_if` must be a text, this is a list\n" },
      { RULE "  exceptions: [{match: {unit: U}}]\n  alert_if: amount > 1\n",
	"b.yaml:6:16+1 E112 an exception lacks `reason`\n" },
      { RULE "  exceptions: [{reason: x, match: {unti: U}}]\n"
	     "  alert_if: amount > 1\n",
	"b.yaml:6:36+4 E203 rule `r` knows no `unti` (did you mean "
	"`unit`?)\n" },
      { RULE "  exceptions: [{reason: x, match: {unit: U}, until: "
	     "2026-13-01}]\n  alert_if: amount > 1\n",
	"b.yaml:6:53+10 E304 `until` is a date such as 2026-12-31, not "
	"`2026-13-01`\n" },
      { RULE "  title: x\n", "b.yaml:4:9+1 E112 rule `r` lacks `alert_if`\n" },
      { "apiversion: 1\npackage: p\nrules:\n- from: payments\n",
	"b.yaml:4:3+0 E112 a rule lacks `rule`: its name\n" },
      { "apiversion: 1\npackage: p\nrules:\n- rule: a b\n  from: payments\n",
	"b.yaml:4:9+3 E232 `a b` cannot be the name of a rule: letters, "
	"digits, - _ and . only\n" },
      { "apiversion: 1\npackage: p\nrules:\n- {rule: a, from: payments, "
	"alert_if: 'true'}\n- {rule: a, from: payments, alert_if: 'true'}\n",
	"b.yaml:5:10+1 E231 rule `a` is declared already (first at line 4)\n" })

CASES(checks_the_values_in_texts,
      { RULE "  message: '{unti} spent'\n  alert_if: amount > 1\n",
	"b.yaml:6:14+4 E203 rule `r` knows no `unti` (did you mean "
	"`unit`?)\n" },
      { RULE "  message: {zh: '支出 {amount|monye}'}\n"
	     "  alert_if: amount > 1\n",
	"b.yaml:6:29+5 E203 there is no format `monye` (did you mean "
	"`money`?)\n" },
      { RULE "  message: '{unit|money}'\n  alert_if: amount > 1\n",
	"b.yaml:6:19+5 E206 the format `money` cannot show string\n" },
      { RULE "  message: '{unit'\n  alert_if: amount > 1\n",
	"b.yaml:6:13+1 E301 this brace is not closed; write {{ for a brace "
	"that is meant\n" },
      { RULE "  message: 'a {} b'\n  alert_if: amount > 1\n",
	"b.yaml:6:15+2 E301 nothing stands in these braces\n" },
      { RULE "  message: {de: x}\n  alert_if: amount > 1\n",
	"b.yaml:6:13+2 E110 `message` has no key `de`\n" })

CASES(refuses_money_that_is_not_exact,
      { RULE "  alert_if: amount > 1.005\n",
	"b.yaml:6:22+5 E207 1.005 is not a whole number of minor units: CNY "
	"has 2 decimals\n" },
      { RULE "  params: {floor: 0.001}\n  alert_if: amount > params.floor\n",
	"b.yaml:6:19+5 E207 0.001 is not a whole number of minor units: CNY "
	"has 2 decimals\n" },
      { RULE "  alert_if: amount > 1.0 * bidders\n",
	"b.yaml:6:26+1 E206 `*` between double and int: write 2.0 for 2, or "
	"double(x)\n" })

CASES(warns_of_what_is_probably_not_meant,
      { RULE "  alert_if: 1 > 2\n",
	"b.yaml:6:13+5 W620 `alert_if` is always false\n" },
      { RULE "  alert_if: amount > 1 && 2 > 1\n",
	"b.yaml:6:13+19 W620 `2 > 1` is always true\n" },
      { RULE "  alert_if: amount > 1\n"
	     "  level: {orange: 'true', yellow: amount > 5}\n",
	"b.yaml:7:35+10 W621 `yellow` is never reached: `orange` is always "
	"true\n" },
      { RULE "  params: {big: 5}\n  alert_if: amount > 1\n"
	     "  level: {red: amount >= params.big, yellow: amount > 5}\n",
	"b.yaml:8:46+10 W621 `yellow` is never reached: `red` is true whenever "
	"it is\n" },
      { RULE "  alert_if: amount > 1\n"
	     "  level: {red: bidders < 3, orange: bidders <= 2, yellow: "
	     "bidders < 2}\n",
	"b.yaml:7:37+12 W621 `orange` is never reached: `red` is true "
	"whenever it is\n"
	"b.yaml:7:59+11 W621 `yellow` is never reached: `orange` is true "
	"whenever it is\n" },
      { RULE "  alert_if: amount > 1\n"
	     "  level: {red: bidders > 2 && amount > 9, yellow: bidders > 2 "
	     "&& amount > 9}\n",
	"b.yaml:7:51+25 W621 `yellow` is never reached: `red` is true "
	"whenever it is\n" },
      { RULE "  alert_if: amount > 1\n"
	     "  level: {red: amount > 5, orange: amount >= 5, yellow: amount "
	     "> 4}\n",
	"" },
      { RULE "  status: live\n  owner: a\n  alert_if: amount > 1\n",
	"b.yaml:4:9+1 W624 rule `r` is live and lacks advice, legal_basis, "
	"tests\n" },
      { RULE "  alert_if: memo == 'x'\n",
	"b.yaml:6:13+4 W605 `memo` may be absent, and the whole is missing "
	"then; ask has(memo) or give a default()\n" },
      { "apiversion: 1\npackage: p\nmacros: {m: amount > 1}\n"
	"lists: {l: [a]}\n",
	"b.yaml:3:10+1 W622 no rule uses the macro `m`\n"
	"b.yaml:4:9+1 W622 no rule uses the list `l`\n" })

CASES(checks_overrides,
      { RULE "  params: {floor: 1}\n  alert_if: amount > params.floor\n"
	     "override:\n- {rule: q, status: live}\n",
	"b.yaml:9:10+1 E203 there is no rule `q`\n" },
      { RULE "  params: {floor: 1}\n  alert_if: amount > params.floor\n"
	     "override:\n- {rule: r, params: {flor: 2}}\n",
	"b.yaml:9:22+4 E203 rule `r` has no param `flor` (did you mean "
	"`floor`?)\n" },
      { RULE "  params: {floor: 1}\n  alert_if: amount > params.floor\n"
	     "override:\n- {rule: r, alert_if: 'true'}\n",
	"b.yaml:9:13+8 E110 an override has no key `alert_if`\n" },
      { RULE "  params: {floor: 1}\n  alert_if: amount > params.floor\n"
	     "override:\n- {rule: r, status: live, where_key: {unit: U}}\n",
	"b.yaml:9:13+6 E305 an override with `where_key` changes `params` "
	"only\n" })

CASES(finds_the_place_in_a_text_of_several_lines,
      { RULE "  alert_if: |\n    amount > 1 &&\n    ammount > 2\n",
	"b.yaml:8:5+7 E203 rule `r` knows no `ammount` (did you mean "
	"`amount`?)\n" },
      { RULE "  alert_if:\n    amount > 1 &&  \n    ammount > 2\n",
	"b.yaml:8:5+7 E203 rule `r` knows no `ammount` (did you mean "
	"`amount`?)\n" },
      { RULE "  alert_if: \"amount > 1 &&\n    ammount > 2\"\n",
	"b.yaml:7:5+7 E203 rule `r` knows no `ammount` (did you mean "
	"`amount`?)\n" },
      { RULE "  alert_if: >\n    amount > 1 &&\n    ammount > 2\n",
	"b.yaml:8:5+7 E203 rule `r` knows no `ammount` (did you mean "
	"`amount`?)\n" },
      { RULE "  alert_if: amount > 1\n  message: |\n    首行 {unit}\n"
	     "    {unti} x\n",
	"b.yaml:9:6+4 E203 rule `r` knows no `unti` (did you mean "
	"`unit`?)\n" })

#define SOURCES "apiversion: 1\npackage: p\nsources:\n"
CASES(says_what_a_source_must_be,
      { SOURCES "  dept: {topic: d}\n",
	"b.yaml:4:3+4 E112 source `dept` lacks `stream`: which one it is part "
	"of\n" },
      { SOURCES "  dept: {stream: payment}\n",
	"b.yaml:4:18+7 E203 there is no stream `payment` (did you mean "
	"`payments`?)\n" },
      { SOURCES "  'a b': {stream: payments}\n",
	"b.yaml:4:3+5 E232 `a b` cannot be the name of a source: letters, "
	"digits, _ and - only\n" },
      { SOURCES "  dept: {stream: payments, topic: fin.payments}\n",
	"b.yaml:4:35+12 E231 topic `fin.payments` is read by stream "
	"`payments` already (line 5); one topic is one stream\n" },
      { SOURCES "  dept: {stream: payments, fields: {unti: /u}}\n",
	"b.yaml:4:37+4 E203 stream `dept` has no field `unti` (did you mean "
	"`unit`?)\n" },
      { SOURCES "  dept: {stream: payments, fields: {payee: {mask: none}}}\n",
	"b.yaml:4:45+4 E110 a field of a source has no key `mask`\n" },
      { SOURCES "  dept: {stream: payments, format: csv, columns: [doc, unit, "
		"payee, state, bidders, paid_at]}\n",
	"b.yaml:4:50+1 E203 no column for the field `amount`\n" })

/* Six bits of an event's coordinates say which topic it is of. */
static void says_that_there_are_too_many_topics(void **state) {
	CLEANUP(buf_free) struct buf rules = { 0 };
	CLEANUP(buf_free) struct buf got = { 0 };
	struct world *world = *state;

	put_file(world, "a.yaml", STREAMS);
	load_with(world, NULL);
	buf_puts(&rules, SOURCES);
	for (size_t i = world->set->n_streams; i <= 64; i++)
		buf_printf(&rules, "  d%zu: {stream: payments}\n", i);
	put_file(world, "b.yaml", buf_cstr(&rules));
	load_with(world, NULL);
	complaints(world, &got);
	assert_non_null(strstr(buf_cstr(&got),
			       "+3 E302 more than 64 topics: streams and "
			       "sources\n"));
	assert_int_equal(world->diag.n_errors, 1);
}

static void collects_all_complaints_of_a_run(void **state) {
	struct world *world = *state;

	put_file(world, "a.yaml", STREAMS);
	put_file(world, "b.yaml",
		 RULE "  where: ammount > 1\n  status: lvie\n  by: [unti]\n"
		      "  alert_if: !(x)\n");
	load_with(world, NULL);
	assert_int_equal(world->diag.n_errors, 4);
	assert_null(world->set);
}

static void says_that_a_path_cannot_be_read(void **state) {
	struct world *world = *state;
	const char *paths[] = { "/nowhere/rules" };
	struct ruleset *set = NULL;

	assert_int_equal(ruleset_load(&set, paths, 1, NULL, &world->diag),
			 -EINVAL);
	expect(world, ":0:0+0 E103 /nowhere/rules: No such file or "
		      "directory\n");
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(knows_the_words_of_other_systems),
		TEST(shows_unknown_keys_and_suggests),
		TEST(shows_unknown_names_and_suggests),
		TEST(says_what_each_goes_through),
		TEST(says_what_a_name_cannot_be_where_it_stands),
		TEST(says_what_a_measure_must_be),
		TEST(says_what_a_window_and_a_baseline_must_be),
		TEST(says_what_a_session_and_until_must_be),
		TEST(says_what_peers_must_be),
		TEST(says_what_values_are_possible),
		TEST(checks_the_values_in_texts),
		TEST(refuses_money_that_is_not_exact),
		TEST(warns_of_what_is_probably_not_meant),
		TEST(checks_overrides),
		TEST(finds_the_place_in_a_text_of_several_lines),
		TEST(says_what_a_source_must_be),
		TEST(says_that_there_are_too_many_topics),
		TEST(collects_all_complaints_of_a_run),
		TEST(says_that_a_path_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
