#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event/decoder.h"

/* A stream, its decoder, and the event that was decoded last. */
struct bench {
	struct arena arena, batch, kept;
	size_t padding; /* behind a payload */
	struct calendar calendar;
	struct field fields[16];
	struct stream stream;
	struct decoder *decoder;
	struct event event;
	struct value slots[16];
};

static struct type type_of(uint8_t kind, bool optional) {
	return (struct type){ .kind = kind, .optional = optional };
}

static struct field *add(struct bench *bench, const char *name,
			 const char *path, struct type type) {
	struct field *field = &bench->fields[bench->stream.n_fields++];

	*field = (struct field){
		.name = name,
		.path = path,
		.type = type,
		.used = true,
		.slot = bench->stream.n_slots++,
	};
	return field;
}

static struct type money(void) {
	struct type type = type_of(KIND_MONEY, false);

	type.unit = (uint16_t)currency_find("CNY", 3);
	return type;
}

/* Payments, as a department might write them. */
static void bench_init(struct bench *bench) {
	static const char *const kinds[] = { "wage", "works" };
	struct type enumeration = type_of(KIND_STRING, true);
	struct type list = type_of(KIND_LIST, true);
	struct field *id, *unused;

	memset(bench, 0, sizeof(*bench));
	assert_int_equal(calendar_init(&bench->calendar, "cn", "Asia/Shanghai",
				       &bench->arena),
			 0);
	bench->stream.name = "payments";
	bench->stream.calendar = &bench->calendar;
	bench->stream.fields = bench->fields;
	bench->stream.time =
		add(bench, "paid_at", "/paid_at", type_of(KIND_TIMESTAMP, 0));
	id = add(bench, "no", "/no", type_of(KIND_STRING, false));
	bench->stream.id = id;
	add(bench, "amount", "/pay/amt", money());
	add(bench, "count", "/count", type_of(KIND_INT, true));
	enumeration.names = kinds;
	enumeration.n_names = 2;
	add(bench, "kind", "/kind", enumeration);
	list.elem = KIND_STRING;
	add(bench, "tags", "/tags", list);
	add(bench, "share", "/share", type_of(KIND_DOUBLE, true));
	add(bench, "open", "/open", type_of(KIND_BOOL, true));
	add(bench, "due", "/due", type_of(KIND_DATE, true));
	add(bench, "memo", "/a~1b", type_of(KIND_STRING, true));
	unused = add(bench, "unread", "/unread", type_of(KIND_INT, false));
	unused->used = false;
	bench->stream.n_slots--;
}

static void start(struct bench *bench) {
	assert_int_equal(decoder_new(&bench->decoder, &bench->stream, 7), 0);
}

static void bench_free(struct bench *bench) {
	decoder_free(bench->decoder);
	arena_free(&bench->arena);
	arena_free(&bench->batch);
	arena_free(&bench->kept);
}

/* From memory of its own, so that ASan sees where the payload ends. */
static enum refusal decode_bytes(struct bench *bench, const char *text,
				 size_t len) {
	char *copy = malloc(len + bench->padding + !len);

	memcpy(copy, text, len);
	arena_reset(&bench->batch);
	bench->event = (struct event){ .stream = &bench->stream };
	decoder_decode(bench->decoder, &bench->event, copy, len, bench->padding,
		       &bench->batch);
	/* Strings borrow from the payload: give them a longer life. */
	for (size_t i = 0; !bench->event.refusal && i < bench->stream.n_slots;
	     i++) {
		struct value v = bench->event.slots[i];

		if (v.kind == KIND_STRING)
			v.s = arena_strndup(&bench->kept, v.s, v.len);
		bench->slots[i] = v;
	}
	free(copy);
	return bench->event.refusal;
}

static enum refusal decode(struct bench *bench, const char *text) {
	return decode_bytes(bench, text, strlen(text));
}

static const struct value *slot(const struct bench *bench, const char *name) {
	return &bench->slots[stream_field(&bench->stream, name)->slot];
}

static void assert_text(const struct bench *bench, const char *name,
			const char *want) {
	const struct value *v = slot(bench, name);

	assert_int_equal(v->kind, KIND_STRING);
	assert_int_equal(v->len, strlen(want));
	assert_memory_equal(v->s, want, v->len);
}

#define HEAD "{\"paid_at\":\"2026-03-01T08:00:00+08:00\",\"no\":\"p1\","
#define PAY "\"pay\":{\"amt\":970000.00}"
#define MARCH_1 (INT64_C(1772323200) * USEC_PER_SEC) /* 00:00 UTC */

static void reads_each_type_from_its_own_place(void **state) {
	struct bench bench;

	(void)state;
	bench_init(&bench);
	start(&bench);
	assert_int_equal(
		decode(&bench, HEAD PAY
		       ",\"count\":3,\"kind\":\"works\",\"tags\":[\"a\","
		       " \"\\u4e2d,\" ],\"share\":0.25,\"open\":true,"
		       "\"due\":\"2026-03-07\",\"a/b\":\"x\\ny\"}"),
		REFUSED_NOT);
	assert_int_equal(bench.event.time, MARCH_1);
	assert_text(&bench, "no", "p1");
	assert_int_equal(slot(&bench, "amount")->kind, KIND_MONEY);
	assert_int_equal(slot(&bench, "amount")->i, 97000000);
	assert_int_equal(slot(&bench, "count")->i, 3);
	assert_text(&bench, "kind", "works");
	assert_int_equal(slot(&bench, "tags")->len, 2);
	assert_true(slot(&bench, "share")->d == 0.25);
	assert_true(value_is_true(*slot(&bench, "open")));
	assert_int_equal(slot(&bench, "due")->i, 20519);
	assert_text(&bench, "memo", "x\ny");
	bench_free(&bench);
}

static void leaves_missing_what_is_absent_or_null(void **state) {
	struct bench bench;

	(void)state;
	bench_init(&bench);
	start(&bench);
	assert_int_equal(decode(&bench, HEAD PAY ",\"count\":null}"),
			 REFUSED_NOT);
	assert_int_equal(slot(&bench, "count")->kind, KIND_MISSING);
	assert_int_equal(slot(&bench, "count")->reason, MISSING_FIELD);
	assert_int_equal(slot(&bench, "kind")->kind, KIND_MISSING);
	assert_int_equal(decode(&bench, HEAD "\"pay\":{}}"),
			 REFUSED_MISSING_FIELD);
	assert_string_equal(bench.event.detail, "amount");
	assert_int_equal(decode(&bench, HEAD "\"pay\":null}"),
			 REFUSED_MISSING_FIELD);
	bench_free(&bench);
}

/* Each with one thing that is wrong, and the reason it gets. */
static const struct {
	const char *text;
	enum refusal refusal;
	const char *detail;
} bad[] = {
	{ "", REFUSED_EMPTY, NULL },
	{ "  ", REFUSED_NOT_JSON, NULL },
	{ "null", REFUSED_NOT_JSON, NULL },
	{ "[]", REFUSED_NOT_JSON, NULL },
	{ "amount=3", REFUSED_NOT_JSON, NULL },
	{ HEAD PAY, REFUSED_NOT_JSON, NULL },
	{ HEAD PAY "}}", REFUSED_NOT_JSON, NULL },
	{ HEAD PAY "} {}", REFUSED_NOT_JSON, NULL },
	{ HEAD PAY ",}", REFUSED_NOT_JSON, NULL },
	{ HEAD PAY ",\"x\":01}", REFUSED_NOT_JSON, NULL },
	{ HEAD PAY ",\"x\":[1,{\"y\":tru}]}", REFUSED_NOT_JSON, NULL },
	{ HEAD PAY ",\"x\":\"\\q\"}", REFUSED_NOT_JSON, NULL },
	{ HEAD PAY ",\"x\":\"a\nb\"}", REFUSED_NOT_JSON, NULL },
	{ HEAD PAY ",\"x\":\"\xc3\x28\"}", REFUSED_NOT_UTF8, NULL },
	{ HEAD PAY ",\"no\":\"p2\"}", REFUSED_DUPLICATE_KEY, "no" },
	{ HEAD PAY ",\"n\\u006f\":\"p2\"}", REFUSED_DUPLICATE_KEY, "no" },
	{ HEAD PAY ",\"pay\":{}}", REFUSED_DUPLICATE_KEY, "amount" },
	{ HEAD "\"pay\":{\"amt\":1,\"amt\":1}}", REFUSED_DUPLICATE_KEY,
	  "amount" },
	{ HEAD "\"pay\":{\"amt\":true}}", REFUSED_WRONG_TYPE, "amount" },
	{ HEAD "\"pay\":{\"amt\":[1]}}", REFUSED_WRONG_TYPE, "amount" },
	{ HEAD "\"pay\":{\"amt\":\"1o\"}}", REFUSED_BAD_NUMBER, "amount" },
	{ HEAD "\"pay\":{\"amt\":\"\"}}", REFUSED_BAD_NUMBER, "amount" },
	{ HEAD "\"pay\":{\"amt\":1.001}}", REFUSED_TOO_MANY_DIGITS, "amount" },
	{ HEAD "\"pay\":{\"amt\":1e20}}", REFUSED_OVERFLOW, "amount" },
	{ HEAD "\"pay\":{\"amt\":92233720368547758.08}}", REFUSED_OVERFLOW,
	  "amount" },
	{ HEAD PAY ",\"count\":1.5}", REFUSED_BAD_NUMBER, "count" },
	{ HEAD PAY ",\"count\":\"1\"}", REFUSED_WRONG_TYPE, "count" },
	{ HEAD PAY ",\"count\":9223372036854775808}", REFUSED_OVERFLOW,
	  "count" },
	{ HEAD PAY ",\"share\":1e400}", REFUSED_BAD_NUMBER, "share" },
	{ HEAD PAY ",\"share\":\"1\"}", REFUSED_WRONG_TYPE, "share" },
	{ HEAD PAY ",\"kind\":\"Works\"}", REFUSED_BAD_ENUM, "kind" },
	{ HEAD PAY ",\"open\":1}", REFUSED_WRONG_TYPE, "open" },
	{ HEAD PAY ",\"due\":\"2026-02-30\"}", REFUSED_BAD_TIME, "due" },
	{ HEAD PAY ",\"tags\":\"a\"}", REFUSED_WRONG_TYPE, "tags" },
	{ HEAD PAY ",\"tags\":[\"a\",1]}", REFUSED_WRONG_TYPE, "tags" },
	{ HEAD PAY ",\"tags\":[[\"a\"]]}", REFUSED_WRONG_TYPE, "tags" },
	{ HEAD PAY ",\"tags\":[null]}", REFUSED_WRONG_TYPE, "tags" },
	{ "{\"no\":\"p\"," PAY "}", REFUSED_MISSING_FIELD, "paid_at" },
	{ "{\"no\":7," PAY ",\"paid_at\":\"2026-03-01\"}", REFUSED_WRONG_TYPE,
	  "no" },
	{ "{\"no\":\"p\"," PAY ",\"paid_at\":20260301}", REFUSED_WRONG_TYPE,
	  "paid_at" },
	{ "{\"no\":\"p\"," PAY ",\"paid_at\":\"0000-01-01\"}", REFUSED_BAD_TIME,
	  "paid_at" },
	{ "{\"no\":\"p\"," PAY ",\"paid_at\":\"2026-03-01T08:00:00\"}",
	  REFUSED_BAD_TIME, "paid_at" },
	{ "{\"no\":\"p\"," PAY ",\"paid_at\":\"0001-01-01T00:00:00+08:00\"}",
	  REFUSED_BAD_TIME, "paid_at" },
};

static void refuses_each_fault_by_its_name(void **state) {
	struct bench bench;

	(void)state;
	bench_init(&bench);
	start(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		enum refusal got = decode(&bench, bad[i].text);

		if (got != bad[i].refusal)
			fail_msg("%s: %s", bad[i].text, refusal_name(got));
		if (bad[i].detail)
			assert_string_equal(bench.event.detail, bad[i].detail);
		assert_int_equal(bench.event.time, 0);
		/* A good one after it is as good as ever. */
		assert_int_equal(decode(&bench, HEAD PAY "}"), REFUSED_NOT);
	}
	bench_free(&bench);
}

static void refuses_what_is_too_large_or_too_deep(void **state) {
	static const char head[] = HEAD PAY ",\"x\":";
	struct bench bench;
	char *text = calloc(1, 40000);
	size_t n = sizeof(head) - 1;

	(void)state;
	bench_init(&bench);
	bench.stream.max_bytes = 30000;
	start(&bench);
	memcpy(text, head, n);
	memset(text + n, '[', 10000);
	memset(text + n + 10000, ']', 10000);
	memcpy(text + n + 20000, "}", 1);
	assert_int_equal(decode_bytes(&bench, text, n + 20001),
			 REFUSED_TOO_DEEP);
	/* The object is one, 63 more are allowed. */
	memset(text + n + 63, ']', 63);
	memcpy(text + n + 126, "}", 1);
	assert_int_equal(decode_bytes(&bench, text, n + 127), REFUSED_NOT);
	memset(text + n, '[', 64);
	memset(text + n + 64, ']', 64);
	memcpy(text + n + 128, "}", 1);
	assert_int_equal(decode_bytes(&bench, text, n + 129), REFUSED_TOO_DEEP);
	memset(text + n, ' ', 30000);
	assert_int_equal(decode_bytes(&bench, text, 30001), REFUSED_TOO_LARGE);
	assert_int_equal(decode_bytes(&bench, HEAD "\0", sizeof(HEAD)),
			 REFUSED_NOT_JSON);
	free(text);
	bench_free(&bench);
}

static void reads_amounts_in_the_marks_of_the_stream(void **state) {
	static const char *const signs[] = { "¥", "CNY", NULL };
	static const struct {
		const char *text;
		int64_t minor;
	} cases[] = {
		{ "\"1.234.567,89\"", 123456789 },
		{ "\"(12,00)\"", -1200 },
		{ "\"12-\"", -1200 },
		{ "\"¥ 5\"", 500 },
		{ "\"\\u00a55\"", 500 },
		{ "-7.5", -750 },
		{ "1e3", 100000 },
		{ "100.000", 10000 },
	};
	struct bench bench;

	(void)state;
	bench_init(&bench);
	bench.stream.numbers = (struct number_format){
		.decimal = ',',
		.thousands = { '.', ' ' },
		.signs = signs,
		.parentheses = true,
		.trailing_minus = true,
	};
	start(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[256];

		snprintf(text, sizeof(text), HEAD "\"pay\":{\"amt\":%s}}",
			 cases[i].text);
		if (decode(&bench, text) != REFUSED_NOT)
			fail_msg("%s: %s", text,
				 refusal_name(bench.event.refusal));
		assert_int_equal(slot(&bench, "amount")->i, cases[i].minor);
	}
	bench_free(&bench);
}

static void reads_time_in_each_form(void **state) {
	static const struct {
		enum time_form form;
		const char *pattern, *text;
		usec_t want;
	} cases[] = {
		{ TIME_RFC3339, NULL, "\"2026-03-01T00:00:00Z\"", MARCH_1 },
		{ TIME_RFC3339, NULL, "\"2026-03-01\"",
		  MARCH_1 - 8 * USEC_PER_HOUR },
		{ TIME_DATE, NULL, "\"2026-03-01\"",
		  MARCH_1 - 8 * USEC_PER_HOUR },
		{ TIME_EPOCH_S, NULL, "1772323200", MARCH_1 },
		{ TIME_EPOCH_S, NULL, "1772323200.5", MARCH_1 + 500000 },
		{ TIME_EPOCH_S, NULL, "\"1772323200\"", MARCH_1 },
		{ TIME_EPOCH_MS, NULL, "1772323200001", MARCH_1 + 1000 },
		{ TIME_PATTERN, "%d/%m/%Y %H:%M", "\"01/03/2026 08:00\"",
		  MARCH_1 },
		{ TIME_PATTERN, "%Y%m%d%H%M%S%z", "\"20260301000000+0000\"",
		  MARCH_1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bench bench;
		char text[256];

		bench_init(&bench);
		bench.fields[0].time_form = cases[i].form;
		bench.fields[0].time_pattern = cases[i].pattern;
		start(&bench);
		snprintf(text, sizeof(text),
			 "{\"paid_at\":%s,\"no\":\"p\"," PAY "}",
			 cases[i].text);
		if (decode(&bench, text) != REFUSED_NOT)
			fail_msg("%s: %s", text,
				 refusal_name(bench.event.refusal));
		if (bench.event.time != cases[i].want)
			fail_msg("%s: %lld", text, (long long)bench.event.time);
		bench_free(&bench);
	}
}

static void tells_content_from_identity(void **state) {
	struct bench bench;
	struct event first;

	(void)state;
	bench_init(&bench);
	start(&bench);
	decode(&bench, HEAD PAY "}");
	first = bench.event;
	decode(&bench, HEAD PAY ", \"count\": 2}");
	assert_memory_equal(&first.id, &bench.event.id, sizeof(first.id));
	assert_int_not_equal(first.payload_hash, bench.event.payload_hash);
	decode(&bench, HEAD PAY "}");
	assert_int_equal(first.payload_hash, bench.event.payload_hash);
	bench_free(&bench);
}

static void takes_an_integer_for_an_id_however_it_is_written(void **state) {
	static const char *const same[] = { "120", "1.2e2", "120.0" };
	struct bench bench;
	struct hash128 want = hash128("120", 3, 7);

	(void)state;
	bench_init(&bench);
	bench.fields[1].type = type_of(KIND_INT, false);
	start(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		char text[256];

		snprintf(text, sizeof(text),
			 "{\"no\":%s," PAY ",\"paid_at\":\"2026-03-01\"}",
			 same[i]);
		assert_int_equal(decode(&bench, text), REFUSED_NOT);
		assert_memory_equal(&bench.event.id, &want, sizeof(want));
	}
	assert_int_equal(decode(&bench, "{\"no\":-9223372036854775808," PAY
					",\"paid_at\":\"2026-03-01\"}"),
			 REFUSED_NOT);
	want = hash128("-9223372036854775808", 20, 7);
	assert_memory_equal(&bench.event.id, &want, sizeof(want));
	bench_free(&bench);
}

static void begins_a_date_at_midnight_in_the_zone(void **state) {
	struct bench bench;

	(void)state;
	bench_init(&bench);
	bench.fields[0].type = type_of(KIND_DATE, false);
	bench.fields[0].time_form = TIME_DATE;
	start(&bench);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(decode(&bench, "{\"no\":\"a\"," PAY
						",\"paid_at\":\"2026-03-01\"}"),
				 REFUSED_NOT);
		assert_int_equal(bench.event.time, MARCH_1 - 8 * USEC_PER_HOUR);
	}
	bench_free(&bench);
}

static void reads_rows_under_a_header(void **state) {
	static const char header[] =
		"\xef\xbb\xbfno,memo,amount,paid_at,x,count,tags\r\n";
	struct bench bench;
	struct buf notes = { 0 }, why = { 0 };

	(void)state;
	bench_init(&bench);
	start(&bench);
	assert_int_equal(decoder_csv_header(bench.decoder, header,
					    sizeof(header) - 1, &notes, &why),
			 0);
	assert_int_equal(
		decode(&bench,
		       "p1,\"a, \"\"b\"\"\n\",12.5,2026-03-01,,,u|v\r\n"),
		REFUSED_NOT);
	assert_text(&bench, "memo", "a, \"b\"\n");
	assert_int_equal(slot(&bench, "amount")->i, 1250);
	assert_int_equal(slot(&bench, "count")->kind, KIND_MISSING);
	assert_int_equal(slot(&bench, "tags")->len, 2);
	assert_int_equal(decode(&bench, "p1,,1,2026-03-01,,"), REFUSED_BAD_ROW);
	assert_int_equal(decode(&bench, "p1,,1,2026-03-01,,,,"),
			 REFUSED_BAD_ROW);
	assert_int_equal(decode(&bench, "p1,\"x,1,2026-03-01,,,"),
			 REFUSED_BAD_ROW);
	assert_int_equal(decode(&bench, "p1,x\"y\",1,2026-03-01,,,"),
			 REFUSED_BAD_ROW);
	assert_int_equal(decode(&bench, "p1,\"x\"y,1,2026-03-01,,,"),
			 REFUSED_BAD_ROW);
	assert_int_equal(decode(&bench, "p1,\xff,1,2026-03-01,,,"),
			 REFUSED_NOT_UTF8);
	assert_int_equal(decode(&bench, "p1,,,2026-03-01,,,"),
			 REFUSED_MISSING_FIELD);
	buf_free(&notes);
	buf_free(&why);
	bench_free(&bench);
}

static void names_the_columns_that_a_header_lacks(void **state) {
	struct bench bench;
	struct buf notes = { 0 }, why = { 0 };

	(void)state;
	bench_init(&bench);
	start(&bench);
	assert_int_not_equal(decoder_csv_header(bench.decoder, "paid_at,memo",
						12, &notes, &why),
			     0);
	assert_string_equal(buf_cstr(&why),
			    "no column for the field `no`, `amount` "
			    "(`pay/amt`)");
	buf_reset(&why);
	assert_int_not_equal(
		decoder_csv_header(bench.decoder, "no,no", 5, &notes, &why), 0);
	assert_string_equal(buf_cstr(&why), "two columns are called `no`");
	buf_free(&notes);
	buf_free(&why);
	bench_free(&bench);
}

/* What a header says of itself: 0, or the complaint behind the notes. */
static const char *header(struct bench *bench, const char *text,
			  struct buf *said) {
	CLEANUP(buf_free) struct buf why = { 0 };

	buf_reset(said);
	if (decoder_csv_header(bench->decoder, text, strlen(text), said, &why))
		buf_printf(said, "refused: %s", buf_cstr(&why));
	return buf_cstr(said);
}

#define NO_COLUMN "no column for what may be absent: "

static void tells_what_a_header_lacks_and_what_is_new(void **state) {
	struct bench bench;
	struct buf said = { 0 };

	(void)state;
	bench_init(&bench);
	start(&bench);
	assert_string_equal(
		header(&bench,
		       "share,open,due,memo,pay/amt,kind,tags,no,paid_at,"
		       "count,unread",
		       &said),
		"");
	assert_string_equal(
		header(&bench,
		       "paid_at,no,pay/amt,kind,tag,share,opened_by,due,memo",
		       &said),
		NO_COLUMN "`count`, `tags` (did you mean `tag`?), `open`\n"
			  "no column for what no rule reads: `unread`\n"
			  "columns that are no field: `tag`, `opened_by`\n");
	assert_string_equal(
		header(&bench, "paid_on,No,amount,x", &said),
		"refused: no column for the field `paid_at` (did you mean "
		"`paid_on`?), `no` (did you mean `No`?)");
	assert_string_equal(header(&bench, "no,\"paid_at", &said),
			    "refused: a quote in the header is out of place");
	/* A header that is refused leaves none behind. */
	assert_int_equal(decode(&bench, "a,b"), REFUSED_BAD_ROW);
	buf_free(&said);
	bench_free(&bench);
}

/* S8.11 */
static void finds_a_column_by_its_path_before_its_name(void **state) {
	struct bench bench;
	struct buf said = { 0 };

	(void)state;
	bench_init(&bench);
	bench.fields[0].path = "/Transaction Date";
	bench.fields[1].path = "No; of voucher";
	bench.fields[2].path = "gross";
	bench.fields[3].path = "amount";
	bench.stream.delimiter = ';';
	start(&bench);
	header(&bench,
	       "amount;\"No; of voucher\";Transaction Date;gross;a/b;kind",
	       &said);
	assert_string_equal(buf_cstr(&said),
			    NO_COLUMN "`tags`, `share`, `open`, `due`\n"
				      "no column for what no rule reads: "
				      "`unread`\n");
	assert_int_equal(
		decode(&bench,
		       "7;\"a;\"\"b\"\"\";2026-03-01;1.5;x,y;works\r\n"),
		REFUSED_NOT);
	assert_int_equal(slot(&bench, "count")->i, 7);
	assert_int_equal(slot(&bench, "amount")->i, 150);
	assert_text(&bench, "no", "a;\"b\"");
	assert_text(&bench, "memo", "x,y");
	/* One column is not two fields, but of two the name alone says which.
	 */
	assert_string_equal(
		header(&bench, "\"No of voucher\";Transaction Date;amount",
		       &said),
		"refused: no column for the field `no` (`No; of voucher`) "
		"(did you mean `No of voucher`?), "
		"`amount` (`gross`)");
	buf_free(&said);
	bench_free(&bench);
}

static void reads_quotes_as_the_standard_has_them(void **state) {
	static const struct {
		const char *cell, *want; /* NULL: a bad row */
	} cases[] = {
		{ "x", "x" },
		{ "\"x\"", "x" },
		{ "\"\"\"\"", "\"" },
		{ "\"a\"\"\"\"b\"", "a\"\"b" },
		{ "\"a\r\nb\"", "a\r\nb" },
		{ " x ", " x " },
		{ " \"x\"", NULL },
		{ "\"x\" ", NULL },
		{ "x\"\"y", NULL },
		{ "\"x", NULL },
		{ "\"x\"\"", NULL },
		{ "\"", NULL },
	};
	struct bench bench;
	struct buf said = { 0 };

	(void)state;
	bench_init(&bench);
	bench.stream.delimiter = '\t';
	start(&bench);
	header(&bench, "no\tpay/amt\tpaid_at\tmemo", &said);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char row[64];

		/* In the middle of a row, and at its end. */
		snprintf(row, sizeof(row), "%s\t1\t2026-03-01\t%s",
			 cases[i].want ? cases[i].cell : "p", cases[i].cell);
		assert_int_equal(decode(&bench, row),
				 cases[i].want ? REFUSED_NOT : REFUSED_BAD_ROW);
		if (cases[i].want) {
			assert_text(&bench, "no", cases[i].want);
			assert_text(&bench, "memo", cases[i].want);
		}
		snprintf(row, sizeof(row), "%s\t1\t2026-03-01\t",
			 cases[i].cell);
		if (!cases[i].want)
			assert_int_equal(decode(&bench, row), REFUSED_BAD_ROW);
	}
	buf_free(&said);
	bench_free(&bench);
}

/* As records of Kafka have none. */
static void reads_rows_without_a_header(void **state) {
	static const char *const columns[] = { "no", "x", "amount", "paid_at" };
	struct bench bench;
	struct buf said = { 0 };

	(void)state;
	bench_init(&bench);
	bench.stream.format = FORMAT_CSV;
	start(&bench);
	assert_int_equal(decode(&bench, "p1,,12.5,2026-03-01"),
			 REFUSED_BAD_ROW);
	decoder_free(bench.decoder);
	bench.stream.columns = columns;
	bench.stream.n_columns = 4;
	start(&bench);
	assert_int_equal(decode(&bench, "p1,,12.5,2026-03-01"), REFUSED_NOT);
	assert_int_equal(slot(&bench, "amount")->i, 1250);
	assert_int_equal(decode(&bench, HEAD PAY "}"), REFUSED_BAD_ROW);
	/* A file of the stream has its own header, or is JSON. */
	assert_string_equal(header(&bench,
				   "paid_at,no,pay/amt,memo,kind,tags,"
				   "share,open,due,count,unread",
				   &said),
			    "");
	assert_int_equal(decode(&bench, "2026-03-01,p1,12,,,,,,,,"),
			 REFUSED_NOT);
	decoder_format(bench.decoder, FORMAT_JSON);
	assert_int_equal(decode(&bench, HEAD PAY "}"), REFUSED_NOT);
	buf_free(&said);
	bench_free(&bench);
}

#define BUREAU "\xb2\xc6\xd5\xfe\xbe\xd6" /* in GB18030 */

/* S8.10 */
static void reads_the_encoding_of_the_stream(void **state) {
	static const char text[] = HEAD PAY ",\"a/b\":\"" BUREAU "\"}";
	static const char plain[] = HEAD PAY ",\"a/b\":\"x\"}";
	struct bench bench;
	struct charset charset;
	struct hash128 id;

	(void)state;
	bench_init(&bench);
	assert_int_equal(charset_load(&charset, CHARSET_GB18030, &bench.arena),
			 0);
	bench.stream.charset = &charset;
	start(&bench);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(decode(&bench, text), REFUSED_NOT);
		assert_text(&bench, "memo", "财政局");
		/* The content is the bytes as they came. */
		assert_int_equal(bench.event.payload_hash,
				 (uint32_t)hash64(text, sizeof(text) - 1, 7));
		assert_int_equal(decode(&bench, plain), REFUSED_NOT);
		assert_text(&bench, "memo", "x");
	}
	/* The id is the text, so it is the same in any encoding. */
	assert_int_equal(decode(&bench, "{\"no\":\"" BUREAU "\"," PAY
					",\"paid_at\":\"2026-03-01\"}"),
			 REFUSED_NOT);
	id = hash128("财政局", 9, 7);
	assert_memory_equal(&bench.event.id, &id, sizeof(id));
	bench_free(&bench);
}

/* S8.10: what is broken leaves nothing to the next. */
static void refuses_what_is_not_in_the_encoding(void **state) {
	static const char *const broken[] = {
		HEAD PAY ",\"a/b\":\"\x80\"}",
		HEAD PAY ",\"a/b\":\"\xff\"}",
		HEAD PAY ",\"a/b\":\"\xd6\"}", /* a quote is no trail byte */
		HEAD PAY ",\"a/b\":\"\x81\x30\x81\"}",
		HEAD PAY "}\xb2",
		HEAD PAY "}\x81\x30",
	};
	struct bench bench;
	struct charset charset;

	(void)state;
	bench_init(&bench);
	assert_int_equal(charset_load(&charset, CHARSET_GB18030, &bench.arena),
			 0);
	bench.stream.charset = &charset;
	start(&bench);
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		assert_int_equal(decode(&bench, broken[i]),
				 REFUSED_BAD_ENCODING);
		assert_int_equal(
			decode(&bench, HEAD PAY ",\"a/b\":\"" BUREAU "\"}"),
			REFUSED_NOT);
		assert_text(&bench, "memo", "财政局");
	}
	/* Good text of the encoding may still be no JSON. */
	assert_int_equal(decode(&bench, BUREAU), REFUSED_NOT_JSON);
	bench_free(&bench);
}

static void counts_the_bytes_of_a_payload_as_they_came(void **state) {
	struct buf text = { 0 };
	struct bench bench;
	struct charset charset;

	(void)state;
	bench_init(&bench);
	assert_int_equal(charset_load(&charset, CHARSET_LATIN1, &bench.arena),
			 0);
	bench.stream.charset = &charset;
	bench.stream.max_bytes = 2000;
	start(&bench);
	buf_puts(&text, HEAD PAY ",\"a/b\":\"");
	buf_repeat(&text, '\xa3', 2000 - text.len - 2);
	buf_puts(&text, "\"}");
	assert_int_equal(decode_bytes(&bench, text.data, 2000), REFUSED_NOT);
	assert_int_equal(slot(&bench, "memo")->len % 2, 0);
	assert_memory_equal(slot(&bench, "memo")->s, "££", 4);
	buf_puts(&text, " ");
	assert_int_equal(decode_bytes(&bench, text.data, 2001),
			 REFUSED_TOO_LARGE);
	buf_free(&text);
	bench_free(&bench);
}

static void reads_rows_in_the_encoding_of_the_stream(void **state) {
	static const char header[] = "\x84\x31\x95\x33no,\xbd\xf0\xb6\xee,"
				     "paid_at,\xb1\xb8\xd7\xa2";
	struct bench bench;
	struct charset charset;
	struct buf notes = { 0 }, why = { 0 };

	(void)state;
	bench_init(&bench);
	assert_int_equal(charset_load(&charset, CHARSET_GB18030, &bench.arena),
			 0);
	bench.stream.charset = &charset;
	bench.fields[2].path = "金额";
	bench.fields[9].path = "备注";
	start(&bench);
	assert_int_equal(decoder_csv_header(bench.decoder, header,
					    sizeof(header) - 1, &notes, &why),
			 0);
	/* The second byte of 亅 is a vertical bar. */
	assert_int_equal(decode(&bench, "p1,12.5,2026-03-01,\"\x81\x7c,"
					"\xb2\xc6\"\n"),
			 REFUSED_NOT);
	assert_text(&bench, "memo", "亅,财");
	assert_int_equal(slot(&bench, "amount")->i, 1250);
	assert_int_equal(decode(&bench, "p1,12.5,2026-03-01,\xb2"),
			 REFUSED_BAD_ENCODING);
	assert_int_not_equal(
		decoder_csv_header(bench.decoder, "no,\xb2", 4, &notes, &why),
		0);
	assert_string_equal(buf_cstr(&why), "the header is not in the encoding "
					    "of the stream");
	buf_free(&notes);
	buf_free(&why);
	bench_free(&bench);
}

/* A reader of its own for chance, so that a failure can be run again. */
static uint64_t next_random(uint64_t *state) {
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void survives_documents_that_were_damaged(void **state) {
	static const char good[] = HEAD PAY
		",\"count\":3,\"kind\":\"works\",\"tags\":[\"a\",\"中\\n\""
		"],\"share\":0.25,\"open\":true,\"due\":\"2026-03-07\""
		",\"a/b\":\"x\\ud83d\\ude00y\",\"deep\":[{\"x\":[[]]}]}";
	struct bench bench;
	uint64_t seed = 1;

	(void)state;
	bench_init(&bench);
	start(&bench);
	assert_int_equal(decode(&bench, good), REFUSED_NOT);
	for (int i = 0; i < 50000; i++) {
		char text[sizeof(good)];
		size_t len = sizeof(good) - 1;

		memcpy(text, good, sizeof(good));
		for (uint64_t n = next_random(&seed) % 4; n < 4; n++) {
			uint64_t r = next_random(&seed);

			text[r % len] = r & 0x10000 ? (char)(r >> 32)
						    : good[(r >> 32) % len];
		}
		if (next_random(&seed) % 4 == 0)
			len = next_random(&seed) % len;
		decode_bytes(&bench, text, len);
	}
	bench_free(&bench);
}

static void put_value(struct buf *out, uint64_t *seed) {
	static const char *const values[] = {
		"12.50", "-3",       "1e2",       "null",           "true",
		"false", "\"x\"",    "\"\"",      "\"works\"",      "\"wage\"",
		"7",     "\"中文\"", "\"a\\nb\"", "\"2026-03-07\"", "[]",
		"{}",    "[1]",      "\"q\xff\"", "0.1.2",          "\"12.5\"",
	};

	buf_puts(out, values[next_random(seed) % ARRAY_SIZE(values)]);
}

/* Mostly the same members in the same order, with exceptions to each rule. */
static void put_document(struct buf *out, uint64_t *seed) {
	static const struct {
		const char *key, *value;
	} members[] = {
		{ "no", "\"p1\"" },
		{ "pay", "{\"amt\":12.50}" },
		{ "count", "3" },
		{ "kind", "\"works\"" },
		{ "share", "0.25" },
		{ "open", "true" },
		{ "due", "\"2026-03-07\"" },
		{ "a/b", "\"备注 one two\"" },
		{ "other", "{\"x\":1,\"y\":\"\"}" },
	};

	buf_reset(out);
	buf_puts(out, "{\"paid_at\":\"2026-03-01\"");
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		size_t pick = i;

		if (next_random(seed) % 16 == 0)
			continue;
		if (next_random(seed) % 64 == 0)
			pick = next_random(seed) % ARRAY_SIZE(members);
		buf_printf(out,
			   next_random(seed) % 64 ? ",\"%s\":" : ", \"%s\" : ",
			   members[pick].key);
		if (next_random(seed) % 32 == 0)
			put_value(out, seed);
		else
			buf_puts(out, members[pick].value);
	}
	buf_puts(out, "}");
	if (next_random(seed) % 8 == 0)
		out->data[next_random(seed) % out->len] =
			(char)next_random(seed);
	if (next_random(seed) % 32 == 0)
		out->len = next_random(seed) % out->len;
}

static void assert_same(const struct bench *a, const struct bench *b) {
	assert_int_equal(a->event.refusal, b->event.refusal);
	assert_int_equal(a->event.time, b->event.time);
	assert_int_equal(!a->event.detail, !b->event.detail);
	if (a->event.detail)
		assert_string_equal(a->event.detail, b->event.detail);
	assert_memory_equal(&a->event.id, &b->event.id, sizeof(a->event.id));
	assert_int_equal(a->event.payload_hash, b->event.payload_hash);
	for (size_t i = 0; !a->event.refusal && i < a->stream.n_slots; i++) {
		struct value x = a->slots[i], y = b->slots[i];

		assert_int_equal(x.kind, y.kind);
		if (x.kind == KIND_STRING || x.kind == KIND_LIST)
			assert_int_equal(x.len, y.len);
		if (x.kind == KIND_STRING)
			assert_memory_equal(x.s, y.s, x.len);
		else if (x.kind != KIND_LIST)
			assert_int_equal(x.i, y.i);
	}
}

/* A decoder that has seen nothing yet can only walk. */
static void guesses_what_a_walk_finds(void **state) {
	struct buf text = { 0 };
	struct bench guess, walk;
	uint64_t seed = 2;

	(void)state;
	bench_init(&guess);
	bench_init(&walk);
	guess.stream.max_bytes = walk.stream.max_bytes = 4096;
	start(&guess);
	for (int i = 0; i < 20000; i++) {
		put_document(&text, &seed);
		start(&walk);
		decode_bytes(&guess, text.data, text.len);
		decode_bytes(&walk, text.data, text.len);
		decoder_free(walk.decoder);
		walk.decoder = NULL;
		assert_same(&guess, &walk);
		arena_reset(&guess.kept);
		arena_reset(&walk.kept);
		guess.padding = guess.padding ? 0 : 64;
	}
	assert_true(guess.decoder->fitted > 5000);
	assert_true(guess.decoder->fitted < 19000);
	buf_free(&text);
	bench_free(&guess);
	bench_free(&walk);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_each_type_from_its_own_place),
		cmocka_unit_test(leaves_missing_what_is_absent_or_null),
		cmocka_unit_test(refuses_each_fault_by_its_name),
		cmocka_unit_test(refuses_what_is_too_large_or_too_deep),
		cmocka_unit_test(reads_amounts_in_the_marks_of_the_stream),
		cmocka_unit_test(reads_time_in_each_form),
		cmocka_unit_test(tells_content_from_identity),
		cmocka_unit_test(
			takes_an_integer_for_an_id_however_it_is_written),
		cmocka_unit_test(begins_a_date_at_midnight_in_the_zone),
		cmocka_unit_test(reads_rows_under_a_header),
		cmocka_unit_test(names_the_columns_that_a_header_lacks),
		cmocka_unit_test(tells_what_a_header_lacks_and_what_is_new),
		cmocka_unit_test(finds_a_column_by_its_path_before_its_name),
		cmocka_unit_test(reads_quotes_as_the_standard_has_them),
		cmocka_unit_test(reads_rows_without_a_header),
		cmocka_unit_test(reads_the_encoding_of_the_stream),
		cmocka_unit_test(refuses_what_is_not_in_the_encoding),
		cmocka_unit_test(counts_the_bytes_of_a_payload_as_they_came),
		cmocka_unit_test(reads_rows_in_the_encoding_of_the_stream),
		cmocka_unit_test(survives_documents_that_were_damaged),
		cmocka_unit_test(guesses_what_a_walk_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
