/*
 * A rule: from its YAML to what the engine reads.
 */
#include "rule/compile.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static const struct shape_key rule_keys[] = {
	{ "rule", "text", "required",
	  "its name: letters, digits, - _ . ; the identity of its state and "
	  "alerts" },
	{ "title", "text or <texts>", "its name",
	  "what it is about, in a line; {name|format} inserts values" },
	{ "desc", "text or <texts>", NULL, "what it is for" },
	{ "message", "text or <texts>", "title", "what an alert says" },
	{ "advice", "text or <texts>", NULL, "what its reader does next" },
	{ "status", "draft|test|live|deprecated", "test",
	  "test: computed, not published; only test and live run" },
	{ "from", "text or [text] or {text or <input>}", "required",
	  "the stream, or streams, under aliases if you like" },
	{ "each", "text", NULL,
	  "`supplier_ids as supplier`: once for each element of a list, before "
	  "`where`" },
	{ "where", "expression", "true", "which events count" },
	{ "by", "text or [text] or {text or {text}}", "none: one key",
	  "what alerts and windows are kept by" },
	{ "window", "fixed or <window>", "the event; for ever with a measure",
	  "which events a measure is over" },
	{ "every", "text", NULL,
	  "judges by the clock as well: `1h`, `1d at 07:00`, `1bd at 09:00`" },
	{ "measure", "{expression or <measure>}", NULL,
	  "aggregates over the window, by name" },
	{ "baseline", "{<baseline>}", NULL,
	  "what is usual: name.mid .spread .n .z(x) .lo(k) .hi(k)" },
	{ "let", "{expression}", NULL, "names for expressions" },
	{ "alert_if", "expression", "true where `level` stands",
	  "when to raise the alert" },
	{ "level", "green|yellow|orange|red or <level>", "yellow",
	  "how grave it is; the gravest that is true" },
	{ "resolve_if", "expression", "not `alert_if`",
	  "when an alert of a key ends" },
	{ "per", "key|event",
	  "event where an event, or a window that is over, speaks alone; else "
	  "key",
	  "what one alert stands for" },
	{ "cooldown", "duration", "1h; 0s for events",
	  "no repeat of a key at the same or a lower level" },
	{ "refresh", "duration", "1d",
	  "how soon an open alert whose values moved is published again" },
	{ "review_within", "duration", "90d",
	  "how long an alert of an event waits for a verdict" },
	{ "max_entries", "1..1048576", "4096",
	  "events that a window of one key keeps; then the oldest leave" },
	{ "open_max", "1..1048576", "1000",
	  "open alerts of one key of events" },
	{ "exceptions", "[<exception>]", NULL,
	  "what is known and allowed; withheld alerts are counted" },
	{ "on_missing", "skip|inconclusive|alert", "skip",
	  "when a value that decides is missing" },
	{ "late", "amend|drop", "amend",
	  "late events change what was said, or are left out" },
	{ "params", "{any}", NULL,
	  "constants that an `override` may change: params.name" },
	{ "legal_basis", "text", NULL,
	  "goes into the alert; may insert values" },
	{ "tags", "[text]", NULL, "go into the alert" },
	{ "owner", "text", NULL, "who answers for the rule" },
	{ "runbook", "text", NULL, "where it says how to proceed" },
	{ "evidence", "0..1000 or <evidence>", "10",
	  "events that an alert shows" },
	{ "score", "{0.0..100 or <score>}", NULL,
	  "points by entity; `supplier: 20` where the key has a supplier" },
	{ "tests", "[<test>]", NULL, "run by `tocsin test`" },
	{ "calendar", "text", "the only or `default`",
	  "whose days and periods these are" },
	{ "for", SHAPE_LATER },
	{ "keep_firing_for", SHAPE_LATER },
	{ "group_by", SHAPE_LATER },
	{ "limit", SHAPE_LATER },
	{ "steps", SHAPE_LATER },
	{ "order", SHAPE_LATER },
	{ "grace", SHAPE_LATER },
	{ "expect", SHAPE_LATER },
	{ "rescan", SHAPE_LATER },
	{ "use", SHAPE_LATER },
	{ "freeze_if", SHAPE_LATER },
};
const struct shape rule_shape = { "rule", rule_keys, ARRAY_SIZE(rule_keys) };

static const char *const level_names[] = { "none", "green", "yellow", "orange",
					   "red" };

static const struct yaml_node *get(const struct rule_build *b,
				   const char *key) {
	return yaml_get(b->node, key);
}

/*** every ***/

/* "07:30" to a clock time; false if it is none. */
static bool parse_clock(const char *s, usec_t *ret) {
	unsigned hour;
	unsigned minute;

	if (strlen(s) != 5 || s[2] != ':')
		return false;
	for (int i = 0; i < 5; i++)
		if (i != 2 && !isdigit((unsigned char)s[i]))
			return false;
	hour = (unsigned)(s[0] - '0') * 10 + (unsigned)(s[1] - '0');
	minute = (unsigned)(s[3] - '0') * 10 + (unsigned)(s[4] - '0');
	if (hour > 23 || minute > 59)
		return false;
	*ret = hour * USEC_PER_HOUR + minute * USEC_PER_MIN;
	return true;
}

static void read_every(struct rule_build *b) {
	const struct yaml_node *node = get(b, "every");
	const char *text = NULL;
	const char *at;
	struct span every;
	usec_t clock = 0;
	size_t len;

	if (shape_text(b->l->diag, node, "every", &text) < 0 || !text)
		return;
	at = strstr(text, " at ");
	len = at ? (size_t)(at - text) : strlen(text);
	if (span_parse(&every, text, len) < 0 || every.n <= 0 ||
	    (at && !parse_clock(at + 4, &clock))) {
		diag_at(b->l->diag, node->place, "E303",
			"`every` is such as `1h` or `1d at 07:00`, not `%s`",
			text);
		return;
	}
	if (at && every.unit == SPAN_FIXED && every.n % USEC_PER_DAY) {
		diag_at(b->l->diag, node->place, "E303",
			"`at` goes with whole days, months or business days");
		return;
	}
	b->rule->every = every;
	b->rule->every_at = clock;
}

/*** conditions ***/

/* Where the author said nothing: fires whenever some band is true. */
static void always(struct rule_build *b, struct condition *ret) {
	struct yaml_node node = {
		.kind = YAML_SCALAR,
		.text = "true",
		.len = 4,
		.place = b->source->place,
		.inside = b->source->place,
	};

	compile_condition(b, &node, ret);
}

static int rank_of(const char *name) {
	for (unsigned i = LEVEL_GREEN; i <= LEVEL_RED; i++)
		if (!strcmp(level_names[i], name))
			return (int)i;
	return -1;
}

static const struct shape_key level_keys[] = {
	{ "red", "expression", "false", "when it is red, and so on down" },
	{ "orange", "expression", "false", "orange, and nothing above" },
	{ "yellow", "expression", "false", "yellow, and nothing above" },
	{ "green", "expression", "false", "green, and nothing above" },
};
const struct shape level_shape = { "level", level_keys,
				   ARRAY_SIZE(level_keys) };

static void read_levels(struct rule_build *b, const struct yaml_node *node) {

	if (!node)
		return;
	b->rule->has_level = true;
	if (node->kind == YAML_SCALAR) {
		unsigned level = LEVEL_YELLOW;

		if (shape_choice(b->l->diag, node, "level", level_names + 1,
				 LEVEL_RED, &level) == 0)
			always(b, &b->rule->level[level + 1]);
		return;
	}
	if (shape_is(b->l->diag, node, YAML_MAP, "level") < 0)
		return;
	shape_keys(b->l->diag, node, "`level`", level_keys,
		   ARRAY_SIZE(level_keys));
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		int rank = rank_of(pair->key->text);

		if (rank > 0 && shape_is(b->l->diag, pair->value, YAML_SCALAR,
					 pair->key->text) == 0)
			compile_condition(b, pair->value,
					  &b->rule->level[rank]);
	}
}

static void read_conditions(struct rule_build *b) {
	const struct yaml_node *alert = get(b, "alert_if");
	const struct yaml_node *level = get(b, "level");
	const struct yaml_node *resolve = get(b, "resolve_if");

	if (alert && shape_is(b->l->diag, alert, YAML_SCALAR, "alert_if") == 0)
		compile_condition(b, alert, &b->rule->alert_if);
	else if (!alert && level)
		always(b, &b->rule->alert_if);
	else if (!alert)
		diag_at(b->l->diag, b->source->place, "E112",
			"rule `%s` lacks `alert_if`", b->rule->name);
	read_levels(b, level);
	if (resolve &&
	    shape_is(b->l->diag, resolve, YAML_SCALAR, "resolve_if") == 0)
		compile_condition(b, resolve, &b->rule->resolve_if);
	if (resolve && b->rule->per_event)
		diag_at(b->l->diag, resolve->place, "E305",
			"an alert of an event is closed by people or by "
			"`review_within`; `resolve_if` goes with `per: key`");
}

/*** exceptions ***/

static void match_value(struct buf *out, const struct yaml_node *node,
			struct type type) {
	bool text = type.kind == KIND_STRING;

	if (type.kind == KIND_DATE)
		buf_puts(out, "date(");
	if (text || type.kind == KIND_DATE)
		buf_json_string(out, node->text, node->len);
	else
		buf_add(out, node->text, node->len);
	if (type.kind == KIND_DATE)
		buf_putc(out, ')');
}

/* What a name is when the key is judged, to know how to write its values. */
static int type_of_name(struct rule_build *b, const struct yaml_node *name,
			struct type *ret) {
	struct expr *expr = compile_judging(b, name, NULL);

	if (!expr)
		return -EINVAL;
	*ret = expr_type(expr);
	return 0;
}

static int match_pair(struct rule_build *b, struct buf *out,
		      const struct yaml_pair *pair) {
	const struct yaml_node *value = pair->value;
	struct type type;

	if (type_of_name(b, pair->key, &type) < 0)
		return -EINVAL;
	buf_puts(out, out->len ? " && " : "");
	if (value->kind == YAML_SCALAR) {
		buf_printf(out, "%s == ", pair->key->text);
		match_value(out, value, type);
		return 0;
	}
	if (shape_is(b->l->diag, value, YAML_LIST, pair->key->text) < 0)
		return -EINVAL;
	buf_printf(out, "%s in [", pair->key->text);
	for (size_t i = 0; i < value->n; i++) {
		if (shape_is(b->l->diag, value->items[i], YAML_SCALAR,
			     pair->key->text) < 0)
			return -EINVAL;
		buf_puts(out, i ? ", " : "");
		match_value(out, value->items[i], type);
	}
	buf_putc(out, ']');
	return 0;
}

static const struct expr *match_expr(struct rule_build *b,
				     const struct yaml_node *node) {
	static const struct type condition = { .kind = KIND_BOOL };
	CLEANUP(buf_free) struct buf text = { 0 };

	if (node->kind == YAML_SCALAR)
		return compile_judging(b, node, &condition);
	if (shape_is(b->l->diag, node, YAML_MAP, "match") < 0)
		return NULL;
	for (size_t i = 0; i < node->n; i++)
		if (match_pair(b, &text, &node->pairs[i]) < 0)
			return NULL;
	return compile_judging_text(b, buf_cstr(&text), text.len, node->place,
				    &condition);
}

static const struct shape_key exception_keys[] = {
	{ "reason", "text", "required", "why" },
	{ "match", "expression or {any}", "required",
	  "a condition, or names and the values (or lists of them) they must "
	  "have" },
	{ "until", "date", "for ever", "its last day" },
	{ "approved_by", "text", NULL, "who allowed it" },
};
const struct shape exception_shape = { "exception", exception_keys,
				       ARRAY_SIZE(exception_keys) };

static void read_exception(struct rule_build *b, const struct yaml_node *node,
			   struct exception *exception) {
	const struct yaml_node *match = yaml_get(node, "match");

	exception->until = INT64_MAX;
	if (shape_is(b->l->diag, node, YAML_MAP, "exceptions") < 0)
		return;
	shape_keys(b->l->diag, node, "an exception", exception_keys,
		   ARRAY_SIZE(exception_keys));
	shape_text(b->l->diag, yaml_get(node, "reason"), "reason",
		   &exception->reason);
	shape_text(b->l->diag, yaml_get(node, "approved_by"), "approved_by",
		   &exception->approved_by);
	shape_date(b->l->diag, yaml_get(node, "until"), "until",
		   &exception->until);
	if (!yaml_get(node, "reason"))
		diag_at(b->l->diag, node->place, "E112",
			"an exception lacks `reason`");
	if (!match)
		diag_at(b->l->diag, node->place, "E112",
			"an exception lacks `match`");
	else
		exception->match = match_expr(b, match);
	if (b->l->options && b->l->options->today &&
	    exception->until < b->l->options->today)
		diag_at(b->l->diag, yaml_get(node, "until")->place, "W623",
			"this exception has expired");
}

static void read_exceptions(struct rule_build *b) {
	const struct yaml_node *node = get(b, "exceptions");
	struct exception *exceptions;

	if (!node || shape_is(b->l->diag, node, YAML_LIST, "exceptions") < 0)
		return;
	exceptions = arena_array(b->l->arena, struct exception, node->n);
	for (size_t i = 0; i < node->n; i++)
		read_exception(b, node->items[i], &exceptions[i]);
	b->rule->exceptions = exceptions;
	b->rule->n_exceptions = node->n;
}

/*** score ***/

static bool is_key_name(const struct rule_build *b, const char *name) {
	for (size_t i = 0; i < b->n_key; i++)
		if (!strcmp(b->key[i].name, name))
			return true;
	return false;
}

static const struct shape_key by_level_keys[] = {
	{ "red", "0.0..100", "points", "points of a red alert" },
	{ "orange", "0.0..100", "points", "points of an orange alert" },
	{ "yellow", "0.0..100", "points", "points of a yellow alert" },
	{ "green", "0.0..100", "points", "points of a green alert" },
};
const struct shape by_level_shape = { "by_level", by_level_keys,
				      ARRAY_SIZE(by_level_keys) };

static void score_levels(struct rule_build *b, const struct yaml_node *node,
			 struct score *score) {

	if (!node || shape_is(b->l->diag, node, YAML_MAP, "by_level") < 0)
		return;
	shape_keys(b->l->diag, node, "`by_level`", by_level_keys,
		   ARRAY_SIZE(by_level_keys));
	for (size_t i = 0; i < node->n; i++) {
		int rank = rank_of(node->pairs[i].key->text);

		if (rank > 0)
			shape_double(b->l->diag, node->pairs[i].value,
				     "by_level", 0, 100,
				     &score->by_level[rank]);
	}
}

static void add_score(struct rule_build *b, struct pointers *scores,
		      const struct score *score, const struct yaml_node *of) {
	struct score *mine = arena_new(b->l->arena, struct score);

	*mine = *score;
	if (!is_key_name(b, of->text) || strcmp(of->text, score->entity) != 0)
		mine->of = compile_judging(b, of, NULL);
	pointers_add(scores, b->l->arena, mine);
}

static const struct shape_key score_keys[] = {
	{ "points", "0.0..100", "required", "what an alert adds" },
	{ "of", "expression or [expression]", "the entity's name",
	  "who gets them" },
	{ "by_level", "<by_level>", NULL, "other points by level" },
};
const struct shape score_shape = { "score", score_keys,
				   ARRAY_SIZE(score_keys) };

static void read_score(struct rule_build *b, struct pointers *scores,
		       const struct yaml_pair *pair) {
	struct score score = { .entity = pair->key->text };
	const struct yaml_node *points = pair->value;
	const struct yaml_node *of = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(score.by_level); i++)
		score.by_level[i] = -1;
	if (points->kind == YAML_MAP) {
		shape_keys(b->l->diag, points, "a score", score_keys,
			   ARRAY_SIZE(score_keys));
		of = yaml_get(points, "of");
		score_levels(b, yaml_get(points, "by_level"), &score);
		if (!yaml_get(points, "points"))
			diag_at(b->l->diag, points->place, "E112",
				"a score lacks `points`");
		points = yaml_get(points, "points");
	}
	shape_double(b->l->diag, points, "points", 0, 100, &score.points);
	if (!of) {
		add_score(b, scores, &score, pair->key);
	} else if (of->kind == YAML_LIST) {
		for (size_t i = 0; i < of->n; i++)
			if (!shape_is(b->l->diag, of->items[i], YAML_SCALAR,
				      "of"))
				add_score(b, scores, &score, of->items[i]);
	} else if (!shape_is(b->l->diag, of, YAML_SCALAR, "of")) {
		add_score(b, scores, &score, of);
	}
}

static void read_scores(struct rule_build *b) {
	const struct yaml_node *node = get(b, "score");
	struct pointers scores = { 0 };
	struct score *flat;

	if (!node || shape_is(b->l->diag, node, YAML_MAP, "score") < 0)
		return;
	for (size_t i = 0; i < node->n; i++)
		read_score(b, &scores, &node->pairs[i]);
	flat = arena_array(b->l->arena, struct score, scores.n);
	for (size_t i = 0; i < scores.n; i++)
		flat[i] = *(const struct score *)scores.items[i];
	b->rule->scores = flat;
	b->rule->n_scores = scores.n;
}

/*** the rest ***/

static void read_status(struct rule_build *b) {
	static const char *const words[] = { "draft", "test", "live",
					     "deprecated" };
	unsigned status = STATUS_TEST;

	shape_choice(b->l->diag, get(b, "status"), "status", words,
		     ARRAY_SIZE(words), &status);
	b->rule->status = (enum status)status;
	b->live = status == STATUS_TEST || status == STATUS_LIVE;
}

/* What the plan depends on; before it is made. */
static void read_before(struct rule_build *b) {
	static const char *const lates[] = { "amend", "drop" };
	int64_t entries = 4096;
	unsigned late = 0;

	shape_choice(b->l->diag, get(b, "late"), "late", lates,
		     ARRAY_SIZE(lates), &late);
	b->drop_late = late;
	shape_number(b->l->diag, get(b, "max_entries"), "max_entries", 1,
		     1 << 20, &entries);
	b->max_entries = (uint32_t)entries;
}

static bool has_own_baseline(const struct rule_build *b) {
	const struct yaml_node *node = get(b, "baseline");

	for (size_t i = 0; node && node->kind == YAML_MAP && i < node->n; i++)
		if (!yaml_get(node->pairs[i].value, "peers"))
			return true;
	return node && node->kind != YAML_MAP;
}

/*
 * An alert of its own for each event, where nothing but the event speaks:
 * no window, no clock, no baseline of the key. And for each window that is
 * judged only when it is over: nothing can resolve it any more.
 */
static void read_per(struct rule_build *b) {
	static const char *const words[] = { "key", "event" };
	const struct yaml_node *every = get(b, "every");
	const struct yaml_node *node = get(b, "per");
	bool once = judges_once(b);
	unsigned per =
		once || (!get(b, "window") && !every && !has_own_baseline(b));

	shape_choice(b->l->diag, node, "per", words, ARRAY_SIZE(words), &per);
	b->rule->per_event = per;
	if (once && !per)
		diag_at(b->l->diag, node->place, "E305",
			"a window that is judged once, at its close, raises "
			"an alert that stands for review as one of an event "
			"does; `per: key` goes with `judge: each`");
	if (once && every)
		diag_at(b->l->diag, every->place, "E305",
			"this window is judged once, at its close; `every` "
			"goes with `judge: each`");
	if (once)
		return;
	if (per && is_until(b))
		diag_at(b->l->diag, node->place, "E305",
			"`judge: each` follows a window while it is open, so "
			"it goes with `per: key`");
	if (per && every)
		diag_at(b->l->diag, every->place, "E305",
			"`every` judges without an event, so it goes with "
			"`per: key`");
}

static void read_life(struct rule_build *b) {
	static const char *const words[] = { "skip", "inconclusive", "alert" };
	struct rule *rule = b->rule;
	unsigned missing = ON_MISSING_SKIP;
	int64_t open = 1000;

	rule->cooldown.n = rule->per_event ? 0 : USEC_PER_HOUR;
	rule->refresh.n = USEC_PER_DAY;
	rule->review_within.n = 90 * USEC_PER_DAY;
	shape_span(b->l->diag, get(b, "cooldown"), "cooldown", &rule->cooldown);
	shape_span(b->l->diag, get(b, "refresh"), "refresh", &rule->refresh);
	shape_span(b->l->diag, get(b, "review_within"), "review_within",
		   &rule->review_within);
	shape_choice(b->l->diag, get(b, "on_missing"), "on_missing", words,
		     ARRAY_SIZE(words), &missing);
	rule->on_missing = (enum on_missing)missing;
	shape_number(b->l->diag, get(b, "open_max"), "open_max", 1, 1 << 20,
		     &open);
	rule->open_max = (uint32_t)open;
}

static void read_tags(struct rule_build *b) {
	const struct yaml_node *node = get(b, "tags");
	const char **tags;

	if (!node || shape_is(b->l->diag, node, YAML_LIST, "tags") < 0)
		return;
	tags = arena_array(b->l->arena, const char *, node->n);
	for (size_t i = 0; i < node->n; i++)
		if (shape_text(b->l->diag, node->items[i], "tags",
			       &tags[b->rule->n_tags]) == 0)
			b->rule->n_tags++;
	b->rule->tags = tags;
}

static void read_title(struct rule_build *b) {
	const struct yaml_node *title = get(b, "title");
	struct yaml_node name = {
		.kind = YAML_SCALAR,
		.text = b->rule->name,
		.len = strlen(b->rule->name),
		.place = b->source->place,
		.inside = b->source->place,
	};

	compile_texts(b, title ? title : &name, "title", &b->rule->title);
}

static void read_texts(struct rule_build *b) {
	struct rule *rule = b->rule;
	const struct yaml_node *basis = get(b, "legal_basis");

	read_title(b);
	if (get(b, "message"))
		compile_texts(b, get(b, "message"), "message", &rule->message);
	for (unsigned i = 0; i < LANGUAGE_MAX; i++)
		if (!rule->message.given[i] && rule->title.given[i]) {
			rule->message.in[i] = rule->title.in[i];
			rule->message.given[i] = true;
		}
	if (get(b, "advice"))
		compile_texts(b, get(b, "advice"), "advice", &rule->advice);
	if (get(b, "desc"))
		compile_texts(b, get(b, "desc"), "desc", &rule->desc);
	if (basis && !shape_is(b->l->diag, basis, YAML_SCALAR, "legal_basis"))
		compile_text(b, basis, &rule->legal_basis);
	shape_text(b->l->diag, get(b, "owner"), "owner", &rule->owner);
	shape_text(b->l->diag, get(b, "runbook"), "runbook", &rule->runbook);
	read_tags(b);
}

static void *flat_pointers(struct rule_build *b, const struct pointers *all) {
	void **ret = arena_array(b->l->arena, void *, all->n);

	if (all->n)
		memcpy(ret, all->items, all->n * sizeof(*ret));
	return ret;
}

/* What a free day more or less changes. */
static bool counts_workdays(const struct rule_build *b) {
	const struct rule *rule = b->rule;
	const struct span spans[] = { rule->cooldown, rule->refresh,
				      rule->review_within, rule->every };

	for (size_t i = 0; i < ARRAY_SIZE(spans); i++)
		if (spans[i].unit == SPAN_WORKDAYS && spans[i].n)
			return true;
	for (size_t i = 0; i < b->baselines.n; i++) {
		const struct baseline_ref *ref = b->baselines.values[i];

		if (!ref->broken && ref->baseline && ref->baseline->workday)
			return true;
	}
	return b->counts_workdays;
}

static void finish(struct rule_build *b) {
	struct rule *rule = b->rule;
	struct bind *binds = arena_array(b->l->arena, struct bind, b->binds.n);
	struct coarse *coarse =
		arena_array(b->l->arena, struct coarse, b->coarse.n);

	for (size_t i = 0; i < b->binds.n; i++)
		binds[i] = *(const struct bind *)b->binds.items[i];
	for (size_t i = 0; i < b->coarse.n; i++) {
		const struct coarse_build *build = b->coarse.items[i];

		coarse[i].plan = build->plan->plan;
		coarse[i].map = build->map;
	}
	rule->counts_workdays = counts_workdays(b);
	rule->binds = binds;
	rule->n_slots = b->binds.n;
	rule->coarse = coarse;
	rule->n_coarse = b->coarse.n;
	rule->tables = flat_pointers(b, &b->tables);
	rule->n_tables = b->tables.n;
	rule->lists = flat_pointers(b, &b->lists);
	rule->n_lists = b->lists.n;
	for (size_t i = 0; i < b->n_inputs; i++)
		if (b->inputs[i].stream->max_delay > rule->max_delay)
			rule->max_delay = b->inputs[i].stream->max_delay;
}

static void read_tests(struct rule_build *b) {
	const struct yaml_node *tests = get(b, "tests");

	if (!tests || shape_is(b->l->diag, tests, YAML_LIST, "tests") < 0)
		return;
	for (size_t i = 0; i < tests->n; i++) {
		struct rule_test *test =
			arena_new(b->l->arena, struct rule_test);
		const struct yaml_node *name =
			yaml_get(tests->items[i], "name");

		if (shape_is(b->l->diag, tests->items[i], YAML_MAP, "tests") <
		    0)
			continue;
		if (!name)
			diag_at(b->l->diag, tests->items[i]->place, "E501",
				"a test lacks `name`");
		if (shape_text(b->l->diag, name, "name", &test->name) < 0 ||
		    !name || !b->live)
			continue;
		test->rule = b->rule;
		test->package = b->p->name;
		test->node = tests->items[i];
		test->place = name->place;
		pointers_add(&b->l->tests, b->l->arena, test);
	}
}

static void lint_params(struct rule_build *b) {
	for (size_t i = 0; i < b->params.n; i++) {
		const struct param *param = b->params.values[i];

		if (!param->used && !b->l->diag->n_errors)
			diag_at(b->l->diag, param->place, "W622",
				"nothing uses the param `%s`", param->name);
	}
}

void rule_compile(struct loader *l, struct package *p,
		  struct rule_source *source) {
	struct rule_build *b = arena_new(l->arena, struct rule_build);
	struct rule *rule = arena_new(l->arena, struct rule);
	int r;

	b->l = l;
	b->p = p;
	b->source = source;
	b->node = source->node;
	b->rule = rule;
	rule->package = p->name;
	rule->name = source->name;
	rule->full = arena_printf(l->arena, "%s/%s", p->name, source->name);
	rule->place = source->place;
	shape_keys(l->diag, b->node, "a rule", rule_keys,
		   ARRAY_SIZE(rule_keys));
	read_status(b);
	read_before(b);
	b->calendar =
		find_calendar(l, p, get(b, "calendar"), source->place, "rule");
	if (read_inputs(b) < 0 || !b->calendar || read_each(b) < 0)
		return;
	read_params(b);
	read_lets(b);
	read_per(b);
	read_life(b);
	read_every(b);
	/* All three, so that one run says everything. */
	r = read_key(b);
	r |= read_where(b);
	r |= read_window(b);
	if (r)
		return;
	make_plan(b);
	read_measures(b);
	read_baselines(b);
	b->judging = judging_env(b);
	bind_measures(b);
	bind_lets(b);
	read_conditions(b);
	read_exceptions(b);
	read_scores(b);
	read_texts(b);
	read_evidence(b);
	read_tests(b);
	lint_params(b);
	rule_expand(b);
	finish(b);
	lint_rule(l, rule, b->node);
	if (b->live)
		pointers_add(&l->rules, l->arena, rule);
}
