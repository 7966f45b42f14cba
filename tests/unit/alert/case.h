/*
 * Case: a rule made by hand, and what the engine would know when it judges.
 *
 * `repeat-payment` of package `finance/payments`, by unit and payee_account
 * (masked), over calendar months, with two measures, one baseline, three lets.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alert/record.h"
#include "base/util.h"

/* Slots of the event. */
enum { E_VOUCHER, E_UNIT, E_ACCOUNT, E_AMOUNT, E_FUND, E_MAX };
/* Slots of the judging frame. */
enum {
	F_NOW,
	F_UNIT,
	F_ACCOUNT,
	F_FUND,
	F_TOTAL,
	F_CNT,
	F_NEWEST,
	F_MID,
	F_SPREAD,
	F_N,
	F_GROWTH,
	F_LABEL,
	F_BIG,
	F_MAX
};

struct names {
	const char *const *names;
	const struct type *types;
	size_t n;
};

struct test_case {
	struct arena arena;
	struct diag diag;
	struct calendar calendar;
	struct field fields[E_MAX];
	struct stream stream;
	struct plan_input input;
	struct kept kept[1];
	struct measure measures[3];
	struct baseline baseline;
	struct plan plan;
	struct bind binds[F_MAX];
	struct score scores[2];
	struct table table;
	const struct table *tables[1];
	struct exception exception;
	struct rule rule;
	struct value key[2];
	struct value frame[F_MAX];
	struct past past[2];
	struct baseline_used used;
	struct value shown_fields[2];
	struct shown shown[1];
	struct draft draft;
	struct stamp stamp;
};

static const char *const frame_names[F_MAX] = {
	"now",    "unit",   "payee_account", "fund",   "total",
	"cnt",    "newest", "mid",           "spread", "n",
	"growth", "label",  "big",
};

static const struct type text_type = { .kind = KIND_STRING };

static uint16_t yuan(void) {
	return (uint16_t)currency_find("CNY", 3);
}

static struct type money_type(void) {
	return (struct type){ .kind = KIND_MONEY, .unit = yuan() };
}

static int find_name(void *ctx, const char *const *path, size_t n,
		     struct place place, struct expr_name *ret) {
	const struct names *names = ctx;

	(void)n, (void)place;
	for (size_t i = 0; i < names->n; i++) {
		if (strcmp(path[0], names->names[i]) != 0)
			continue;
		*ret = (struct expr_name){ .how = NAME_SLOT,
					   .type = names->types[i],
					   .slot = (uint16_t)i };
		return 1;
	}
	return 0;
}

static struct expr_env case_env(struct names *names) {
	return (struct expr_env){ .ctx = names,
				  .name = find_name,
				  .unknown = "there is no" };
}

static void frame_types(const struct test_case *c, struct type *types) {
	for (size_t i = 0; i < F_MAX; i++) {
		types[i] = c->binds[i].type;
		types[i].optional = i == F_FUND;
	}
}

static struct expr_ast *parse(struct test_case *c, const char *text) {
	struct expr_ast *ast;

	assert_int_equal(expr_parse(&ast, &c->arena, text, strlen(text),
				    (struct place){ 0 }, &c->diag),
			 0);
	return ast;
}

/* Over the frame's slots. */
static const struct expr *compile(struct test_case *c, const char *text) {
	struct type types[F_MAX];
	struct names names = { frame_names, types, F_MAX };
	struct expr_env env = case_env(&names);
	struct expr *expr;

	frame_types(c, types);
	if (expr_compile(&expr, &c->arena, parse(c, text), &env, NULL,
			 &c->diag) < 0)
		fail_msg("%s: %s", text, c->diag.items[0].text);
	return expr;
}

static struct condition condition(struct test_case *c, const char *text) {
	struct type types[F_MAX];
	struct names names = { frame_names, types, F_MAX };
	struct expr_env env = case_env(&names);
	struct condition ret = { .test = compile(c, text) };
	struct expr_clause *clauses;

	frame_types(c, types);
	assert_int_equal(expr_clauses(&clauses, &ret.n_clauses, &c->arena,
				      parse(c, text), &env, &c->diag),
			 0);
	ret.clauses = clauses;
	return ret;
}

static const struct expr *over_event(struct test_case *c, const char *text) {
	const char *names[E_MAX];
	struct type types[E_MAX];
	struct names all = { names, types, E_MAX };
	struct expr_env env = case_env(&all);
	struct expr *expr;

	for (size_t i = 0; i < E_MAX; i++) {
		names[i] = c->fields[i].name;
		types[i] = c->fields[i].type;
	}
	assert_int_equal(expr_compile(&expr, &c->arena, parse(c, text), &env,
				      NULL, &c->diag),
			 0);
	return expr;
}

/* "a {b|c} d", as the loader takes it apart. */
static struct text text(struct test_case *c, const char *from) {
	struct text_part *parts = arena_array(&c->arena, struct text_part, 16);
	struct text ret = { .parts = parts };

	while (*from) {
		const char *end = strchr(from, *from == '{' ? '}' : '{');
		size_t len = end ? (size_t)(end - from) : strlen(from);
		struct text_part *part = &parts[ret.n++];
		char *inner;
		char *bar;

		assert_true(ret.n <= 16);
		if (*from != '{') {
			part->literal = arena_strndup(&c->arena, from, len);
			from += len;
			continue;
		}
		inner = arena_strndup(&c->arena, from + 1, len - 1);
		bar = strchr(inner, '|');
		if (bar) {
			*bar = '\0';
			part->format = bar + 1;
		}
		part->value = compile(c, inner);
		from += len + 1;
	}
	return ret;
}

static void give(struct test_case *c, struct texts *texts,
		 enum language language, const char *from) {
	texts->given[language] = true;
	texts->in[language] = text(c, from);
}

static struct bind bind(size_t slot, enum bind_from from, struct type type,
			uint16_t index) {
	return (struct bind){ .from = from,
			      .name = frame_names[slot],
			      .type = type,
			      .index = index };
}

static void let(struct test_case *c, size_t slot, const char *text) {
	struct bind bind = { .from = BIND_LET,
			     .name = frame_names[slot],
			     .let = compile(c, text),
			     .shown = true };

	bind.type = expr_type(bind.let);
	c->binds[slot] = bind;
}

static void make_stream(struct test_case *c) {
	static const char *const names[E_MAX] = {
		"voucher_no", "unit", "payee_account", "amount", "fund",
	};

	for (uint16_t i = 0; i < E_MAX; i++)
		c->fields[i] = (struct field){ .name = names[i],
					       .type = text_type,
					       .used = true,
					       .slot = i };
	c->fields[E_AMOUNT].type = money_type();
	c->fields[E_ACCOUNT].mask = MASK_LAST4;
	c->stream = (struct stream){ .name = "payments",
				     .fields = c->fields,
				     .n_fields = E_MAX,
				     .calendar = &c->calendar };
}

static void make_plan(struct test_case *c) {
	static const char *const by[] = { "unit", "payee_account" };
	static const enum mask masks[] = { MASK_NONE, MASK_LAST4 };
	static const int32_t fund[] = { E_FUND };
	static const char *const evidence[] = { "voucher_no", "amount" };
	static const int32_t slots[] = { E_VOUCHER, E_AMOUNT };
	const struct expr **x = arena_array(&c->arena, const struct expr *, 3);
	struct type *types = arena_array(&c->arena, struct type, 2);

	x[0] = over_event(c, "amount");
	x[2] = over_event(c, "payee_account");
	types[0] = types[1] = text_type;
	c->input = (struct plan_input){ .stream = &c->stream };
	c->kept[0] = (struct kept){ "fund", text_type, fund };
	c->measures[0] = (struct measure){ .text = "sum(amount)",
					   .aggregate = aggregate_find("sum"),
					   .x = &x[0],
					   .type = money_type() };
	c->measures[1] = (struct measure){ .text = "count()",
					   .aggregate = aggregate_find("count"),
					   .type = { .kind = KIND_INT } };
	c->measures[2] = (struct measure){ .text = "last(payee_account)",
					   .aggregate = aggregate_find("last"),
					   .x = &x[2],
					   .type = text_type };
	c->baseline = (struct baseline){ .of = c->measures[0].text,
					 .type = c->measures[0].type,
					 .over = 12,
					 .stat = STAT_MEDIAN_MAD };
	c->plan = (struct plan){ .inputs = &c->input,
				 .n_inputs = 1,
				 .by = by,
				 .by_types = types,
				 .by_masks = masks,
				 .n_by = 2,
				 .window = { .kind = WINDOW_CALENDAR,
					     .unit = UNIT_MONTH },
				 .calendar = &c->calendar,
				 .measures = c->measures,
				 .n_measures = 3,
				 .baselines = &c->baseline,
				 .n_baselines = 1,
				 .kept = c->kept,
				 .n_kept = 1,
				 .evidence = 2,
				 .evidence_fields = evidence,
				 .evidence_slot = slots,
				 .n_evidence = 2 };
}

static void make_binds(struct test_case *c) {
	struct type integer = { .kind = KIND_INT };

	c->binds[F_NOW] = bind(F_NOW, BIND_NOW,
			       (struct type){ .kind = KIND_TIMESTAMP }, 0);
	c->binds[F_UNIT] = bind(F_UNIT, BIND_KEY, text_type, 0);
	c->binds[F_ACCOUNT] = bind(F_ACCOUNT, BIND_KEY, text_type, 1);
	c->binds[F_FUND] = bind(F_FUND, BIND_FIELD, text_type, 0);
	c->binds[F_TOTAL] = bind(F_TOTAL, BIND_MEASURE, money_type(), 0);
	c->binds[F_CNT] = bind(F_CNT, BIND_MEASURE, integer, 1);
	c->binds[F_NEWEST] = bind(F_NEWEST, BIND_MEASURE, text_type, 2);
	for (size_t i = F_TOTAL; i <= F_NEWEST; i++)
		c->binds[i].shown = true;
	c->binds[F_MID] = bind(F_MID, BIND_BASELINE, money_type(), 0);
	c->binds[F_SPREAD] = bind(F_SPREAD, BIND_BASELINE,
				  (struct type){ .kind = KIND_DOUBLE }, 0);
	c->binds[F_N] = bind(F_N, BIND_BASELINE, integer, 0);
	let(c, F_GROWTH, "ratio(total, mid) - 1.0");
	let(c, F_LABEL, "unit + ':' + payee_account");
	let(c, F_BIG, "cnt + 9007199254740990");
}

static void make_rule(struct test_case *c) {
	static const char *const tags[] = { "payment", "\"quoted\"" };
	struct rule *rule = &c->rule;

	c->table = (struct table){ .name = "limits", .hash = { 0xaa } };
	c->tables[0] = &c->table;
	c->exception = (struct exception){ .reason = "应急抢险",
					   .approved_by = "预算科",
					   .until = INT64_MAX };
	c->scores[0] = (struct score){ .entity = "unit",
				       .points = 10.0,
				       .by_level = { -1, -1, -1, -1, 30 } };
	c->scores[1] = (struct score){ .entity = "payee",
				       .points = 2.5,
				       .by_level = { -1, -1, -1, -1, -1 },
				       .of = compile(c, "payee_account") };
	*rule = (struct rule){ .package = "finance/payments",
			       .name = "repeat-payment",
			       .full = "finance/payments/repeat-payment",
			       .plan = &c->plan,
			       .binds = c->binds,
			       .n_slots = F_MAX,
			       .has_level = true,
			       .evidence = 2,
			       .scores = c->scores,
			       .n_scores = 2,
			       .tags = tags,
			       .n_tags = 2,
			       .owner = "国库科",
			       .tables = c->tables,
			       .n_tables = 1,
			       .hash = { 1, 2, 3 } };
	rule->alert_if = condition(c, "cnt >= 2 && growth > 0.5");
	rule->level[LEVEL_RED] = condition(c, "total >= 500000");
	rule->level[LEVEL_ORANGE] = condition(c, "true");
	give(c, &rule->title, LANGUAGE_ZH, "重复支付");
	give(c, &rule->title, LANGUAGE_EN, "Repeated payment");
	give(c, &rule->message, LANGUAGE_ZH,
	     "{unit} 向 {payee_account} 支付 {total|money}，增长 {growth|pct}");
	rule->legal_basis = text(c, "第三十条");
}

static void make_draft(struct test_case *c) {
	usec_t march = period_start(&c->calendar, UNIT_MONTH, 56 * 12 + 2);
	struct value *frame = c->frame;

	c->key[0] = value_string("U-03", 4);
	c->key[1] = value_string("6222000011112222", 16);
	frame[F_NOW] = value_time(march + 5 * USEC_PER_DAY);
	frame[F_UNIT] = c->key[0];
	frame[F_ACCOUNT] = frame[F_NEWEST] = c->key[1];
	frame[F_FUND] = value_missing(MISSING_FIELD);
	frame[F_TOTAL] = value_money(97000000, yuan());
	frame[F_CNT] = value_int(3);
	frame[F_MID] = value_money(50000000, yuan());
	frame[F_SPREAD] = value_double(1482.6);
	frame[F_N] = value_int(2);
	c->draft.context = (struct expr_context){ .now = frame[F_NOW].i,
						  .event_time = frame[F_NOW].i,
						  .scratch = &c->arena };
	for (size_t i = F_GROWTH; i < F_MAX; i++)
		frame[i] = expr_eval(c->binds[i].let, frame, &c->draft.context);
	c->past[0] =
		(struct past){ 56 * 12 + 1, value_money(60000000, yuan()) };
	c->past[1] = (struct past){ 56 * 12, value_money(40000000, yuan()) };
	c->used = (struct baseline_used){ .name = "usual",
					  .baseline = &c->baseline,
					  .mid = frame[F_MID],
					  .spread = frame[F_SPREAD],
					  .n = 2,
					  .past = c->past,
					  .n_past = 2 };
	c->shown_fields[0] = value_string("v-7", 3);
	c->shown_fields[1] = value_money(48000000, yuan());
	c->shown[0] = (struct shown){ .at = { "fin.payments", 2, 41 },
				      .time = frame[F_NOW].i,
				      .fields = c->shown_fields };
	c->draft.rule = &c->rule;
	c->draft.key = c->key;
	c->draft.has_period = true;
	c->draft.period = 56 * 12 + 2;
	c->draft.window_start = march;
	c->draft.window_end = frame[F_NOW].i;
	c->draft.frame = frame;
	c->draft.baselines = &c->used;
	c->draft.n_baselines = 1;
	c->draft.evidence_count = 3;
	c->draft.digest[0] = 0x0123456789abcdef;
	c->draft.digest[1] = 0xfedcba9876543210;
	c->draft.shown = c->shown;
	c->draft.n_shown = 1;
	c->draft.exception = &c->exception;
	c->draft.watermark = frame[F_NOW].i - 3 * USEC_PER_DAY;
	c->draft.late = 1;
	c->draft.lost = 1;
	c->draft.mask_key = (const uint8_t *)"0123456789abcdef0123456789abcdef";
}

static void make_stamp(struct test_case *c) {
	c->stamp = (struct stamp){ .lane = "0",
				   .seq = 7,
				   .rev = 1,
				   .state = STATE_FIRING,
				   .open = true,
				   .change = CHANGE_FIRED,
				   .why = WHY_CONDITION,
				   .level = LEVEL_RED,
				   .was = LEVEL_NONE,
				   .event = c->frame[F_NOW].i,
				   .window_end = c->draft.window_end,
				   .detected = c->draft.watermark,
				   .zone = &c->calendar.zone };
	memset(c->stamp.id, 0xab, sizeof(c->stamp.id));
	memset(c->stamp.prev_hash, 0x11, sizeof(c->stamp.prev_hash));
}

static int case_setup(void **state) {
	struct test_case *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	assert_int_equal(
		calendar_init(&c->calendar, "cn", "Asia/Shanghai", &c->arena),
		0);
	make_stream(c);
	make_plan(c);
	make_binds(c);
	make_rule(c);
	make_draft(c);
	make_stamp(c);
	*state = c;
	return 0;
}

static int case_teardown(void **state) {
	struct test_case *c = *state;

	arena_free(&c->arena);
	diag_free(&c->diag);
	free(c);
	return 0;
}
