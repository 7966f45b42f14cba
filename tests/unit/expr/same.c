/*
 * The two evaluators know nothing of each other's arithmetic: what they say of
 * random expressions over random frames must be the same.
 */
#include "expr/world.h"

static uint64_t seed = 42;

static unsigned pick(unsigned n) {
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static void write_of(struct buf *out, enum kind kind, unsigned depth);

static void write_joined(struct buf *out, enum kind left, const char *op,
			 enum kind right, unsigned depth) {
	buf_putc(out, '(');
	write_of(out, left, depth);
	buf_printf(out, " %s ", op);
	write_of(out, right, depth);
	buf_putc(out, ')');
}

static void write_int(struct buf *out, unsigned depth) {
	static const char *const ops[] = { "+", "-", "*", "/", "%" };
	static const char *const leaves[] = {
		"cnt",
		"0",
		"1",
		"-1",
		"7",
		"9223372036854775807",
		"-9223372036854775808",
		"size(name)",
		"size(tags)",
	};

	if (depth == 0 || pick(3) == 0) {
		buf_puts(out, leaves[pick(ARRAY_SIZE(leaves))]);
	} else if (pick(5) == 0) {
		buf_puts(out, "-(");
		write_int(out, depth - 1);
		buf_putc(out, ')');
	} else {
		write_joined(out, KIND_INT, ops[pick(5)], KIND_INT, depth - 1);
	}
}

static void write_double(struct buf *out, unsigned depth) {
	static const char *const ops[] = { "+", "-", "*", "/" };
	static const char *const leaves[] = {
		"growth", "0.0", "1.5", "-0.1", "1e300", "num(amount)"
	};

	if (depth == 0 || pick(3) == 0) {
		buf_puts(out, leaves[pick(ARRAY_SIZE(leaves))]);
	} else if (pick(3) == 0) {
		buf_puts(out, "ratio(");
		write_of(out, KIND_MONEY, depth - 1);
		buf_puts(out, ", ");
		write_of(out, KIND_MONEY, depth - 1);
		buf_putc(out, ')');
	} else {
		write_joined(out, KIND_DOUBLE, ops[pick(4)], KIND_DOUBLE,
			     depth - 1);
	}
}

static void write_money(struct buf *out, unsigned depth) {
	static const char *const factors[] = { "0.8", "3", "-0.055", "cnt",
					       "growth" };

	if (depth == 0 || pick(3) == 0) {
		buf_puts(out, pick(2) ? "amount" : "usual.mid");
	} else if (pick(3) == 0) {
		buf_putc(out, '(');
		write_money(out, depth - 1);
		buf_printf(out, " * %s)", factors[pick(5)]);
	} else if (pick(4) == 0) {
		buf_puts(out, "default(");
		write_money(out, depth - 1);
		buf_puts(out, ", 12.5)");
	} else {
		write_joined(out, KIND_MONEY, pick(2) ? "+" : "-", KIND_MONEY,
			     depth - 1);
	}
}

static void write_string(struct buf *out) {
	static const char *const leaves[] = {
		"name", "note", "''", "'R1'", "prefix(name, 1)", "'采购'"
	};

	buf_puts(out, leaves[pick(ARRAY_SIZE(leaves))]);
}

static void write_bool(struct buf *out, unsigned depth) {
	static const char *const compare[] = {
		"==", "!=", "<", "<=", ">", ">="
	};
	static const enum kind kinds[] = { KIND_INT, KIND_DOUBLE, KIND_MONEY,
					   KIND_STRING };
	enum kind kind = kinds[pick(4)];

	if (depth == 0) {
		buf_puts(out, pick(2) ? "valid" : "has(note)");
		return;
	}
	switch (pick(7)) {
	case 0:
		write_joined(out, KIND_BOOL, "&&", KIND_BOOL, depth - 1);
		break;
	case 1:
		write_joined(out, KIND_BOOL, "||", KIND_BOOL, depth - 1);
		break;
	case 2:
		buf_puts(out, "!(");
		write_bool(out, depth - 1);
		buf_putc(out, ')');
		break;
	case 3:
		buf_puts(out, "(");
		write_of(out, kind, depth - 1);
		buf_puts(out, kind == KIND_STRING   ? " in ['R1', '', 'x'])"
			      : kind == KIND_DOUBLE ? " in [0.75, 1.5])"
						    : " in [3, 7, 0])");
		break;
	case 4:
		write_joined(out, KIND_INT, compare[pick(6)], KIND_DOUBLE,
			     depth - 1);
		break;
	default:
		write_joined(out, kind, compare[pick(6)], kind, depth - 1);
	}
}

static void write_of(struct buf *out, enum kind kind, unsigned depth) {
	if (depth > 0 && pick(12) == 0) {
		buf_putc(out, '(');
		write_bool(out, depth - 1);
		buf_puts(out, " ? ");
		write_of(out, kind, depth - 1);
		buf_puts(out, " : ");
		write_of(out, kind, depth - 1);
		buf_putc(out, ')');
		return;
	}
	if (kind == KIND_BOOL)
		write_bool(out, depth);
	else if (kind == KIND_INT)
		write_int(out, depth);
	else if (kind == KIND_DOUBLE)
		write_double(out, depth);
	else if (kind == KIND_MONEY)
		write_money(out, depth);
	else
		write_string(out);
}

static void shuffle(struct world *w) {
	static const int64_t amounts[] = { 0,        1,         -5,       15,
					   48000000, INT64_MAX, INT64_MIN };
	static const int64_t counts[] = {
		0, 1, -1, 3, 7, INT64_MAX, INT64_MIN
	};
	static const double growths[] = { 0, -0.0, 0.75, 1.5, 1e300, -3.25 };

	w->frame[SLOT_AMOUNT] = cny(amounts[pick(7)]);
	w->frame[SLOT_MID] =
		pick(3) ? cny(amounts[pick(7)]) : value_missing(MISSING_YOUNG);
	w->frame[SLOT_CNT] = value_int(counts[pick(7)]);
	w->frame[SLOT_GROWTH] = value_double(growths[pick(6)]);
	w->frame[SLOT_NOTE] =
		pick(2) ? text_value("采购") : value_missing(MISSING_FIELD);
	w->frame[SLOT_VALID] = value_bool(pick(2));
}

static bool identical(struct value a, struct value b) {
	if (a.kind != b.kind || a.reason != b.reason || a.unit != b.unit)
		return false;
	if (a.kind == KIND_MISSING)
		return true;
	if (a.kind == KIND_STRING)
		return walk_equal(a, b);
	/* the sign of a NaN is the machine's affair */
	if (a.kind == KIND_DOUBLE && a.d != a.d)
		return b.d != b.d;
	return a.i == b.i;
}

static void gives_what_the_second_evaluator_gives(void **state) {
	static const enum kind kinds[] = { KIND_BOOL, KIND_INT, KIND_DOUBLE,
					   KIND_MONEY };
	unsigned scalar = 0;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct buf text = { 0 };
		struct expr *fast, *slow;
		struct world w;

		world_begin(&w);
		write_of(&text, kinds[pick(4)], 1 + pick(4));
		fast = world_compile(&w, buf_cstr(&text), 0);
		slow = world_compile(&w, buf_cstr(&text), EXPR_WALK);
		if (!fast)
			print_error("of: %s: %s\n", buf_cstr(&text),
				    w.diag.items[0].text);
		assert_non_null(fast);
		scalar += !expr_is_dynamic(fast);
		for (int k = 0; k < 20; k++) {
			struct value a, b;

			shuffle(&w);
			a = world_eval(&w, fast);
			b = world_eval(&w, slow);
			if (!identical(a, b))
				print_error("of: %s\n", buf_cstr(&text));
			assert_true(identical(a, b));
		}
		buf_free(&text);
		world_end(&w);
	}
	assert_true(scalar > 2500);
}

/* What is printed means what was written. */
static void means_the_same_when_printed(void **state) {
	(void)state;
	for (int i = 0; i < 500; i++) {
		struct buf text = { 0 }, printed = { 0 };
		struct value a, b;
		struct world w;

		world_begin(&w);
		write_of(&text, KIND_BOOL, 4);
		expr_print(&printed, world_tree(&w, buf_cstr(&text)));
		a = world_eval(&w, world_compile(&w, buf_cstr(&text), 0));
		b = world_eval(&w, world_compile(&w, buf_cstr(&printed), 0));
		assert_true(identical(a, b));
		buf_free(&text);
		buf_free(&printed);
		world_end(&w);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_what_the_second_evaluator_gives),
		cmocka_unit_test(means_the_same_when_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
