/*
 * Packages: several files as one, and what is wrong with what they declare.
 */
#include "world.h"

#include <errno.h>

struct mistake {
	const char *declared;
	const char *complaint;
};

#define PACKAGE "apiversion: 1\npackage: p\n"
#define FIELDS "fields: {id: string, at: timestamp, n: int optional}"

static void check_all(void **state, const struct mistake *mistakes, size_t n) {
	struct world *world = *state;

	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_free) struct buf got = { 0 };

		diag_free(&world->diag);
		world->n_files = 0;
		put_file(world, "a.yaml", mistakes[i].declared);
		load_with(world, NULL);
		complaints(world, &got);
		if (strcmp(buf_cstr(&got), mistakes[i].complaint) != 0)
			print_message("%s", mistakes[i].declared);
		assert_string_equal(buf_cstr(&got), mistakes[i].complaint);
	}
}

#define CASES(name, ...)                                                       \
	static void name(void **state) {                                       \
		static const struct mistake mistakes[] = { __VA_ARGS__ };      \
		check_all(state, mistakes, ARRAY_SIZE(mistakes));              \
	}

CASES(says_what_a_stream_must_be,
      { PACKAGE "streams: {s: {time: at}}\n",
	"a.yaml:3:11+1 E112 stream `s` lacks `fields`\n" },
      { PACKAGE "streams: {s: {" FIELDS "}}\n",
	"a.yaml:3:11+1 E112 stream `s` lacks `time`: which field says when it "
	"happened\n" },
      { PACKAGE "streams: {s: {time: ta, " FIELDS "}}\n",
	"a.yaml:3:21+2 E203 stream `s` has no field `ta` (did you mean "
	"`at`?)\n" },
      { PACKAGE "streams: {s: {time: id, " FIELDS "}}\n",
	"a.yaml:3:21+2 E206 `time` must be a timestamp or a date\n" },
      { PACKAGE "streams: {s: {time: at, id: n, " FIELDS "}}\n",
	"a.yaml:3:29+1 E206 `id` must be a field that every event has, and no "
	"list\n" },
      { PACKAGE "streams: {s: {time: at, max_delay: 1mo, " FIELDS "}}\n",
	"a.yaml:3:36+3 E303 `max_delay` needs a fixed length (s m h d w), and "
	"`1mo` is as long as the calendar makes it\n" },
      { PACKAGE "streams: {s: {time: at, format: avro, " FIELDS "}}\n",
	"a.yaml:3:33+4 E111 `avro` is not in this release\n" },
      { PACKAGE "streams: {s: {time: at, format: xml, " FIELDS "}}\n",
	"a.yaml:3:33+3 E301 `format` is json or csv, not `xml`\n" },
      { PACKAGE "streams: {s: {time: at, delimiter: ab, " FIELDS "}}\n",
	"a.yaml:3:36+2 E301 `delimiter` is one character, not `ab`\n" },
      { PACKAGE "streams: {s: {time: at, delimiter: '\"', " FIELDS "}}\n",
	"a.yaml:3:36+3 E301 `delimiter` can be no quote, no line's end and "
	"nothing beyond ASCII\n" },
      { PACKAGE "streams: {s: {time: at, columns: [id, at], " FIELDS "}}\n",
	"a.yaml:3:34+1 E305 `columns` are those of `format: csv`\n" },
      { PACKAGE
	"streams: {s: {time: at, format: csv, columns: [it, x, x], " FIELDS
	"}}\n",
	"a.yaml:3:55+1 E231 column `x` stands here twice\n" },
      { PACKAGE "streams: {s: {time: at, format: csv, columns: [it, x], " FIELDS
		"}}\n",
	"a.yaml:3:47+1 E203 no column for the field `id` (did you mean "
	"`it`?)\n"
	"a.yaml:3:47+1 E203 no column for the field `at` (did you mean "
	"`it`?)\n" },
      { PACKAGE "streams: {s: {time: at, encoding: gb, " FIELDS "}}\n",
	"a.yaml:3:35+2 E301 `encoding` is utf8, gb18030 or latin1, not "
	"`gb`\n" },
      { PACKAGE "streams: {s: {time: at, encoding: GBK, " FIELDS "}}\n",
	"a.yaml:3:35+3 E301 `encoding` is utf8, gb18030 or latin1, not `GBK`; "
	"`gb18030` reads it\n" },
      { PACKAGE "streams: {s: {time: at, encoding: [utf8], " FIELDS "}}\n",
	"a.yaml:3:35+1 E104 `encoding` must be a text, this is a list\n" },
      { PACKAGE "streams: {s: {time: at, on_same_id: replace, " FIELDS "}}\n",
	"a.yaml:3:37+7 E111 `on_same_id: replace` is not in this release\n" },
      { PACKAGE "streams: {s: {time: at, void_if: x, " FIELDS "}}\n",
	"a.yaml:3:25+7 E111 `void_if` is not in this release\n" },
      { PACKAGE "streams: {s: {time: at, topik: x, " FIELDS "}}\n",
	"a.yaml:3:25+5 E110 a stream has no key `topik` (did you mean "
	"`topic`?)\n" },
      { PACKAGE "streams:\n  s: {time: at, " FIELDS "}\n"
		"  t: {time: at, topic: s, " FIELDS "}\n",
	"a.yaml:5:24+1 E231 topic `s` is read by stream `s` already (line 4); "
	"one topic is one stream\n" },
      { PACKAGE "streams: {alerts: {time: at, " FIELDS "}}\n",
	"a.yaml:3:11+6 E232 `alerts` cannot be the name of a stream\n" })

CASES(says_what_a_field_must_be,
      { PACKAGE "streams: {s: {time: at, fields: {at: timestamp, "
		"a: strnig}}}\n",
	"a.yaml:3:52+6 E232 `strnig` is not a type: string int double bool "
	"date timestamp money(CUR) enum[a, b] list(T), each with `optional` "
	"behind it where it may be absent\n" },
      { PACKAGE "streams: {s: {time: at, fields: {at: timestamp, "
		"a: money(XXX1)}}}\n",
	"a.yaml:3:52+11 E232 `XXX1` is not a currency of ISO 4217\n" },
      { PACKAGE "streams:\n  s:\n    time: at\n    fields:\n"
		"      at: timestamp\n      a: enum[]\n",
	"a.yaml:8:10+6 E232 `enum[]` is not a type: string int double bool "
	"date timestamp money(CUR) enum[a, b] list(T), each with `optional` "
	"behind it where it may be absent\n" },
      { PACKAGE "streams: {s: {time: at, fields: {at: timestamp, "
		"a: {path: /x}}}}\n",
	"a.yaml:3:52+1 E112 field `a` lacks `type`\n" },
      { PACKAGE "streams: {s: {time: at, fields: {at: timestamp, "
		"a: {type: string, mask: last5}}}}\n",
	"a.yaml:3:73+5 E301 `mask` is none, last4 or all, not `last5` (did you "
	"mean `last4`?)\n" },
      { PACKAGE "streams: {s: {time: at, fields: {at: timestamp, "
		"a: {type: string, format: epoch_s}}}}\n",
	"a.yaml:3:75+7 E305 `format` is for timestamps and dates\n" },
      { PACKAGE "streams: {s: {time: at, fields: {at: {type: timestamp, "
		"format: whenever}}}}\n",
	"a.yaml:3:64+8 E301 `format` is rfc3339, date, epoch_s, epoch_ms or a "
	"pattern such as %Y/%m/%d, not `whenever`\n" },
      { PACKAGE "streams: {s: {time: at, fields: {at: timestamp, "
		"a-b: int}}}\n",
	"a.yaml:3:49+3 E232 `a-b` cannot be the name of a field: letters, "
	"digits and _ only; give `path` for what it is called in the data\n" })

CASES(says_what_a_calendar_must_be,
      { PACKAGE "calendars: {c: {tz: Asia/Shangai}}\n",
	"a.yaml:3:21+12 E301 there is no time zone `Asia/Shangai`\n" },
      { PACKAGE "calendars: {c: {}}\n",
	"a.yaml:3:13+1 E112 calendar `c` lacks `tz`\n" },
      { PACKAGE "calendars: {c: {tz: UTC, fiscal_year: 02-29}}\n",
	"a.yaml:3:39+5 E304 `fiscal_year` is its first day, such as 04-06, not "
	"`02-29`\n" },
      { PACKAGE "calendars: {a: {tz: UTC}, b: {tz: UTC}}\n"
		"streams: {s: {time: at, " FIELDS "}}\n",
	"a.yaml:4:11+1 E112 this stream must name its `calendar`: there are "
	"several and none is called `default`\n" })

/* What @today says of a rule that counts business days, or does not. */
static void asks(void **state, const char *alert_if, int32_t year,
		 unsigned month, const char *want) {
	struct world *world = *state;
	CLEANUP(buf_free) struct buf text = { 0 };
	struct ruleset_options options = {
		.today = days_from_civil(year, month, 1),
	};

	diag_free(&world->diag);
	world->n_files = 0;
	buf_printf(&text,
		   PACKAGE "calendars: {c: {tz: UTC, holidays: h.csv}}\n"
			   "streams: {s: {time: at, " FIELDS "}}\n"
			   "rules: [{rule: r, from: s, alert_if: \"%s\"}]\n",
		   alert_if);
	put_file(world, "a.yaml", buf_cstr(&text));
	put_file(world, "h.csv", "2025-10-01,holiday\n2026-10-01,holiday\n");
	assert_int_equal(load_with(world, &options), 0);
	expect(world, want);
}

#define NO_HOLIDAYS(year)                                                      \
	"a.yaml:3:36+5 W627 calendar `c` has no holidays of " year             \
	": every weekday of it counts as worked\n"

static void says_which_holidays_are_not_known(void **state) {
	asks(state, "is_workday(at)", 2026, 11, "");
	asks(state, "is_workday(at)", 2026, 12, NO_HOLIDAYS("2027"));
	asks(state, "is_workday(at)", 2027, 1, NO_HOLIDAYS("2027"));
	asks(state, "is_workday(at)", 2025, 6, NO_HOLIDAYS("2024"));
	asks(state, "plus(at, '5bd') > at", 2025, 6, NO_HOLIDAYS("2024"));
	asks(state, "plus(at, '5d') > at", 2025, 6, "");
	asks(state, "fiscal_year(at) > 1", 2029, 6, "");
}

static void warns_of_an_exception_from_the_day_after_its_last(void **state) {
	struct world *world = *state;
	struct ruleset_options options = { 0 };

	put_file(world, "a.yaml",
		 PACKAGE
		 "streams: {s: {time: at, " FIELDS "}}\n"
		 "rules: [{rule: r, from: s, alert_if: n > 1 && has(n), "
		 "exceptions: [{reason: x, match: {id: a}, until: "
		 "2026-03-05}]}]\n");
	options.today = days_from_civil(2026, 3, 5);
	assert_int_equal(load_with(world, &options), 0);
	expect(world, "");
	options.today++;
	assert_int_equal(load_with(world, &options), 0);
	expect(world, "a.yaml:4:103+10 W623 this exception has expired\n");
}

CASES(says_what_a_table_and_a_list_must_be,
      { PACKAGE "tables: {t: {file: t.csv, key: [a]}}\n",
	"a.yaml:3:10+1 E112 table `t` lacks `fields`\n" },
      { PACKAGE "tables: {t: {file: t.csv, key: [a], max_rows: 3}}\n",
	"a.yaml:3:10+1 E112 table `t` lacks `fields`\n"
	"a.yaml:3:47+1 E305 `max_rows` goes with `stream`\n" },
      { PACKAGE "tables: {t: {file: t.csv, key: [a suffix], fields: "
		"{b: int}}}\n",
	"a.yaml:3:33+8 E301 a key is a column, or a column and `prefix`, not "
	"`a suffix`\n" },
      { PACKAGE "tables: {t: {file: t.csv, key: [a], valid: [b], fields: "
		"{b: int}}}\n",
	"a.yaml:3:44+1 E302 `valid` names two columns: [from, to]\n" },
      { PACKAGE "lists: {l: {redis: x}}\n",
	"a.yaml:3:13+5 E111 `redis` is not in this release\n" },
      { PACKAGE "lists: {l: {}}\n",
	"a.yaml:3:12+1 E112 list `l` lacks `file`\n" },
      { PACKAGE "lists: {l: x}\n",
	"a.yaml:3:12+1 E104 `l` must be a map, this is a text\n" })

#define PARTIES                                                                \
	PACKAGE "streams: {parties: {time: at, fields: {id: string, n: int, "  \
		"x: double, tags: list(string), at: timestamp}}}\n"            \
		"tables:\n"
#define ASKS "rules:\n- rule: r\n  from: parties\n  alert_if: "

CASES(says_what_a_table_of_a_stream_must_be,
      { PARTIES "  t: {stream: partys, key: id}\n",
	"a.yaml:5:15+6 E203 there is no stream `partys` (did you mean "
	"`parties`?)\n" },
      { PARTIES "  t: {stream: parties}\n",
	"a.yaml:5:3+1 E112 table `t` lacks `key`\n" },
      { PARTIES "  t: {stream: parties, key: idd}\n",
	"a.yaml:5:29+3 E203 stream `parties` has no field `idd` (did you mean "
	"`id`?)\n" },
      { PARTIES "  t: {stream: parties, key: [id, x]}\n",
	"a.yaml:5:34+1 E206 a key cannot be a double\n" },
      { PARTIES "  t: {stream: parties, key: tags}\n",
	"a.yaml:5:29+4 E206 a key cannot be a list\n" },
      { PARTIES "  t: {stream: parties, key: []}\n",
	"a.yaml:5:29+1 E302 `key` names 1 to 8 fields\n" },
      { PARTIES "  t: {stream: parties, key: id, file: t.csv}\n",
	"a.yaml:5:39+5 E305 a table that a stream fills has no `file`\n" },
      { PARTIES "  t: {stream: parties, key: id, fields: [name]}\n",
	"a.yaml:5:42+4 E203 stream `parties` has no field `name`\n" },
      { PARTIES "  t: {stream: parties, key: id, where: m > 1}\n",
	"a.yaml:5:40+1 E203 stream `parties` has no field `m`\n" },
      { PARTIES "  t: {stream: parties, key: id, where: n}\n",
	"a.yaml:5:40+1 E209 this is int, and bool is asked for\n" },
      { PARTIES "  a: {stream: parties, key: id}\n"
		"  b: {stream: parties, key: id, where: has(a(id))}\n",
	"a.yaml:6:40+10 E235 `where` of a table sees one event alone, and no "
	"table that a stream fills\n" },
      { PARTIES "  t: {stream: parties, key: id, max_rows: 0}\n",
	"a.yaml:5:43+1 E302 `max_rows` is a whole number from 1 to 4096, not "
	"`0`\n" },
      { PARTIES "  t: {stream: parties, key: id, keep: 1mo}\n",
	"a.yaml:5:39+3 E303 `keep` needs a fixed length (s m h d w), and `1mo` "
	"is as long as the calendar makes it\n" },
      { PARTIES "  t: {stream: parties, key: id}\n",
	"a.yaml:5:3+1 W622 no rule uses the table `t`\n" })

CASES(says_how_a_table_of_a_stream_is_asked,
      { PARTIES "  t: {stream: parties, key: id}\n" ASKS "t(id).m > 1\n",
	"a.yaml:9:13+5 E203 table `t` has no field `m`\n" },
      { PARTIES "  t: {stream: parties, key: id, fields: [n]}\n" ASKS
		"size(t(id).tags) > 1\n",
	"a.yaml:9:18+5 E203 table `t` has no field `tags`\n" },
      { PARTIES "  t: {stream: parties, key: id}\n" ASKS "t(n).n > 1\n",
	"a.yaml:9:13+4 E206 table `t` is looked up by string, not int\n" },
      { PARTIES "  t: {stream: parties, key: [id, n]}\n" ASKS "t(id).n > 1\n",
	"a.yaml:9:13+5 E205 table `t` is looked up by 2 values, not 1\n" })

static void says_which_file_cannot_be_read(void **state) {
	struct world *world = *state;
	CLEANUP(buf_free) struct buf want = { 0 };

	put_file(world, "a.yaml",
		 PACKAGE "lists: {l: {file: no.txt}}\n"
			 "tables: {t: {file: no.csv, key: [a], fields: {b: "
			 "int}}}\n"
			 "calendars: {c: {tz: UTC, holidays: no.csv}}\n");
	load_with(world, NULL);
	buf_printf(&want,
		   "a.yaml:3:19+6 E103 %s/no.txt: No such file or directory\n"
		   "a.yaml:4:20+6 E103 %s/no.csv: No such file or directory\n"
		   "a.yaml:5:36+6 E103 %s/no.csv: No such file or directory\n",
		   world->folder, world->folder, world->folder);
	expect(world, buf_cstr(&want));
}

static void merges_the_files_of_a_package(void **state) {
	struct world *world = *state;

	put_file(world, "z.yaml", STREAMS);
	put_file(world, "b.yml",
		 PACKAGE "macros: {large: amount > params.floor}\n");
	put_file(world, "a.yaml",
		 PACKAGE "rules: [{rule: r, from: payments, params: {floor: "
			 "5}, alert_if: large}]\n");
	put_file(world, "notes.txt", "not: [yaml");
	put_file(world, ".hidden.yaml", "not: [yaml");
	load(world);
	assert_int_equal(world->set->n_rules, 1);
	assert_string_equal(world->set->calendars[0]->name, "cn");
}

static void keeps_packages_apart(void **state) {
	struct world *world = *state;
	struct ruleset_options only = { .only_package = "p" };

	put_file(world, "a.yaml", STREAMS);
	put_file(world, "b.yaml",
		 "apiversion: 1\npackage: q\n"
		 "rules: [{rule: r, from: payments, alert_if: 'true'}]\n");
	assert_int_equal(load_with(world, NULL), -EINVAL);
	expect(world, "b.yaml:3:25+8 E203 there is no stream `payments`\n");
	diag_free(&world->diag);
	assert_int_equal(load_with(world, &only), 0);
}

static void the_last_override_wins(void **state) {
	struct world *world = *state;

	put_file(world, "a.yaml", STREAMS);
	put_file(world, "b.yaml",
		 PACKAGE "rules: [{rule: r, from: payments, params: {floor: "
			 "5}, alert_if: amount > params.floor}]\n"
			 "override: [{rule: r, owner: a, cooldown: 2d}]\n");
	put_file(world, "c.yaml", PACKAGE "override: [{rule: r, owner: b}]\n");
	load(world);
	assert_string_equal(rule(world, "r")->owner, "b");
	assert_int_equal(rule(world, "r")->cooldown.n, 2 * USEC_PER_DAY);
}

static void reads_how_a_stream_writes_its_numbers(void **state) {
	struct world *world = *state;
	const struct stream *stream;

	put_file(world, "a.yaml",
		 PACKAGE "streams:\n  s:\n    time: at\n"
			 "    numbers: {decimal: ',', thousands: '. ', signs: "
			 "[¥, CNY], negative: [parentheses, trailing]}\n"
			 "    fields:\n"
			 "      at: {type: timestamp, format: '%Y/%m/%d'}\n"
			 "      day: {type: date, path: /a/b}\n"
			 "      ms: {type: timestamp, format: epoch_ms}\n");
	load(world);
	stream = ruleset_stream(world->set, "s");
	assert_int_equal(stream->numbers.decimal, ',');
	assert_int_equal(stream->numbers.thousands[1], ' ');
	assert_string_equal(stream->numbers.signs[0], "¥");
	assert_null(stream->numbers.signs[2]);
	assert_true(stream->numbers.parentheses);
	assert_true(stream->numbers.trailing_minus);
	assert_int_equal(stream->fields[0].time_form, TIME_PATTERN);
	assert_int_equal(stream->fields[1].time_form, TIME_DATE);
	assert_string_equal(stream->fields[1].path, "/a/b");
	assert_int_equal(stream->fields[2].time_form, TIME_EPOCH_MS);
	assert_string_equal(stream->topic, "s");
	assert_int_equal(stream->idle_after, 10 * USEC_PER_MIN);
}

/* S8.10: what a stream is read by belongs to what alerts depend on. */
static void streams_of_one_encoding_share_its_table(void **state) {
	struct world *world = *state;
	uint8_t hash[32];

	put_file(world, "a.yaml",
		 PACKAGE "streams:\n"
			 "  s: {time: at, encoding: gb18030, " FIELDS "}\n"
			 "  t: {time: at, encoding: gb18030, " FIELDS "}\n"
			 "  u: {time: at, encoding: latin1, " FIELDS "}\n"
			 "  v: {time: at, encoding: utf8, " FIELDS "}\n");
	load(world);
	assert_int_equal(ruleset_stream(world->set, "s")->charset->kind,
			 CHARSET_GB18030);
	assert_ptr_equal(ruleset_stream(world->set, "s")->charset,
			 ruleset_stream(world->set, "t")->charset);
	assert_int_equal(ruleset_stream(world->set, "u")->charset->kind,
			 CHARSET_LATIN1);
	assert_null(ruleset_stream(world->set, "v")->charset);
	memcpy(hash, world->set->hash, sizeof(hash));
	world->n_files = 0;
	put_file(world, "a.yaml",
		 PACKAGE "streams:\n"
			 "  s: {time: at, encoding: gb18030, " FIELDS "}\n"
			 "  t: {time: at, encoding: latin1, " FIELDS "}\n"
			 "  u: {time: at, encoding: latin1, " FIELDS "}\n"
			 "  v: {time: at, encoding: utf8, " FIELDS "}\n");
	load(world);
	assert_memory_not_equal(hash, world->set->hash, sizeof(hash));
}

static void a_key_says_what_it_costs(void **state) {
	struct world *world = *state;
	struct rule_cost panes;
	struct rule_cost event;
	struct rule_cost sliding;

	put_file(world, "a.yaml", STREAMS);
	put_file(world, "b.yaml",
		 PACKAGE
		 "rules:\n"
		 "- {rule: a, from: payments, by: [unit], window: {sliding: "
		 "8d, panes: 8}, measure: {s: sum(amount)}, evidence: 0, "
		 "alert_if: s > 1}\n"
		 "- {rule: b, from: payments, alert_if: amount > 1}\n"
		 "- {rule: c, from: payments, by: [unit], window: 8d, "
		 "max_entries: 100000, measure: {s: sum(amount)}, alert_if: s "
		 "> 1}\n");
	load(world);
	expect(world, "b.yaml:6:10+1 W625 one key of rule `c` can take 3906 "
		      "KiB: 100000 entries of 40 bytes, 0 periods of 0; lower "
		      "`max_entries` or `over`, or take panes\n");
	panes = rule_cost(rule(world, "a"));
	event = rule_cost(rule(world, "b"));
	sliding = rule_cost(rule(world, "c"));
	assert_int_equal(panes.most_bytes, 40 + 12 + 16 + 8 * 4);
	assert_int_equal(event.most_bytes, 0);
	assert_int_equal(sliding.entries, 100000);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(says_what_a_stream_must_be),
		TEST(says_what_a_field_must_be),
		TEST(says_what_a_calendar_must_be),
		TEST(says_which_holidays_are_not_known),
		TEST(warns_of_an_exception_from_the_day_after_its_last),
		TEST(says_what_a_table_and_a_list_must_be),
		TEST(says_what_a_table_of_a_stream_must_be),
		TEST(says_how_a_table_of_a_stream_is_asked),
		TEST(says_which_file_cannot_be_read),
		TEST(merges_the_files_of_a_package),
		TEST(keeps_packages_apart),
		TEST(the_last_override_wins),
		TEST(reads_how_a_stream_writes_its_numbers),
		TEST(streams_of_one_encoding_share_its_table),
		TEST(a_key_says_what_it_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
