#include "alert/record.h"

#include "base/hash.h"
#include "base/number.h"
#include "base/util.h"

#define HASH_BYTES 32
#define ID_BYTES 16

/* What all parts of a body look at. */
struct writing {
	struct buf *out;
	const struct draft *draft;
	const struct rule *rule;
	const struct plan *plan;
	const struct zone *zone;
	enum mask *masks; /* of the frame's slots */
};

static void put_key(struct buf *out, const char *key) {
	buf_comma(out);
	buf_json_key(out, key);
}

static void put_text(struct buf *out, const char *key, const char *text) {
	put_key(out, key);
	if (text)
		buf_json_string(out, text, strlen(text));
	else
		buf_puts(out, "null");
}

static void put_count(struct buf *out, const char *key, uint64_t n) {
	put_key(out, key);
	value_json(out, value_int((int64_t)n), NULL);
}

static void put_hash(struct buf *out, const char *key, const void *bytes,
		     size_t len) {
	put_key(out, key);
	buf_putc(out, '"');
	buf_hex(out, bytes, len);
	buf_putc(out, '"');
}

/* A time that RFC 3339 has no words for (none yet, without end) is null. */
static void put_time(struct buf *out, const char *key, usec_t at,
		     const struct zone *zone) {
	put_key(out, key);
	if (at < days_from_civil(1, 1, 2) * USEC_PER_DAY ||
	    at > days_from_civil(9999, 12, 31) * USEC_PER_DAY)
		buf_puts(out, "null");
	else
		value_json(out, value_time(at), zone);
}

static void put_masked(struct buf *out, struct value value, enum mask mask,
		       const struct zone *zone) {
	CLEANUP(buf_free) struct buf text = { 0 };

	if (mask == MASK_NONE || value_is_missing(value)) {
		value_json(out, value, zone);
		return;
	}
	text_mask(&text, value, mask);
	buf_json_string(out, text.data, text.len);
}

static enum mask stricter(enum mask a, enum mask b) {
	return a > b ? a : b;
}

static enum mask mask_of_slot(const struct stream *stream, int32_t slot) {
	const struct field *field = stream_slot(stream, slot);

	return field ? field->mask : MASK_NONE;
}

static enum mask mask_of_kept(const struct plan *plan,
			      const struct kept *kept) {
	enum mask mask = MASK_NONE;

	for (size_t i = 0; i < plan->n_inputs; i++)
		mask = stricter(mask, mask_of_slot(plan->inputs[i].stream,
						   kept->slot[i]));
	return mask;
}

/* Of a measure whose result is of the kind of what it is of. */
static enum mask mask_of_measure(const struct plan *plan,
				 const struct measure *measure) {
	enum mask mask = MASK_NONE;

	if (measure->aggregate->result_kind != KIND_MISSING)
		return MASK_NONE;
	for (size_t i = 0; i < plan->n_inputs; i++) {
		const struct expr *x = measure->x ? measure->x[i] : NULL;
		const uint16_t *slots;
		size_t n;

		slots = x ? expr_slots(x, &n) : NULL;
		mask = x ? stricter(mask, expr_mask(x)) : mask;
		for (size_t j = 0; slots && j < n; j++)
			mask = stricter(
				mask,
				mask_of_slot(plan->inputs[i].stream, slots[j]));
	}
	return mask;
}

static enum mask mask_of_key(const struct plan *plan, size_t i) {
	return plan->by_masks ? plan->by_masks[i] : MASK_NONE;
}

static enum mask mask_of_bind(const struct rule *rule, const struct bind *bind,
			      const enum mask *before) {
	const struct plan *plan = rule->plan;

	switch (bind->from) {
	case BIND_KEY:
		return mask_of_key(plan, bind->index);
	case BIND_FIELD:
	case BIND_PREV:
		return mask_of_kept(plan, &plan->kept[bind->index]);
	case BIND_LET:
		return text_mask_of(bind->let, before);
	case BIND_MEASURE:
		if (bind->plan)
			plan = rule->coarse[bind->plan - 1].plan;
		return mask_of_measure(plan, &plan->measures[bind->index]);
	case BIND_BASELINE:
		if (plan->baselines[bind->index].of_event)
			return plan->baselines[bind->index].mask;
		return mask_of_measure(
			plan,
			&plan->measures[plan->baselines[bind->index].measure]);
	case BIND_NOW:
		break;
	}
	return MASK_NONE;
}

/* A let may hold what a masked field holds, so masks follow the values. */
static enum mask *find_masks(const struct rule *rule, struct arena *arena) {
	enum mask *masks = arena_array(arena, enum mask, rule->n_slots + 1);

	for (size_t i = 0; i < rule->n_slots; i++)
		masks[i] = mask_of_bind(rule, &rule->binds[i], masks);
	return masks;
}

static struct writing begin(struct buf *out, const struct draft *draft,
			    struct arena *arena) {
	const struct rule *rule = draft->rule;

	return (struct writing){ .out = out,
				 .draft = draft,
				 .rule = rule,
				 .plan = rule->plan,
				 .zone = &rule->plan->calendar->zone,
				 .masks = find_masks(rule, arena) };
}

static void write_values(const struct writing *w) {
	buf_putc(w->out, '{');
	for (size_t i = 0; i < w->rule->n_slots; i++) {
		if (!w->rule->binds[i].shown)
			continue;
		put_key(w->out, w->rule->binds[i].name);
		put_masked(w->out, w->draft->frame[i], w->masks[i], w->zone);
	}
	buf_putc(w->out, '}');
}

void record_values(struct buf *out, const struct draft *draft) {
	CLEANUP(arena_free) struct arena arena = { 0 };
	struct writing w = begin(out, draft, &arena);

	write_values(&w);
}

static void write_tags(const struct writing *w) {
	put_key(w->out, "tags");
	buf_putc(w->out, '[');
	for (size_t i = 0; i < w->rule->n_tags; i++) {
		buf_comma(w->out);
		buf_json_string(w->out, w->rule->tags[i],
				strlen(w->rule->tags[i]));
	}
	buf_putc(w->out, ']');
}

static void write_key(const struct writing *w) {
	put_key(w->out, "key");
	buf_putc(w->out, '{');
	for (size_t i = 0; i < w->plan->n_by; i++) {
		put_key(w->out, w->plan->by[i]);
		put_masked(w->out, w->draft->key[i], mask_of_key(w->plan, i),
			   w->zone);
	}
	buf_putc(w->out, '}');
}

/*
 * What a masked value can still be grouped by. A plain hash of an account
 * number is found by trying all of them; this one needs the site's key. The
 * same value has the same reference in every rule.
 */
static void write_key_refs(const struct writing *w) {
	put_key(w->out, "key_ref");
	buf_putc(w->out, '{');
	for (size_t i = 0; i < w->plan->n_by && w->draft->mask_key; i++) {
		CLEANUP(buf_free) struct buf plain = { 0 };
		uint8_t ref[HASH_BYTES];

		if (mask_of_key(w->plan, i) == MASK_NONE ||
		    value_is_missing(w->draft->key[i]))
			continue;
		value_format(&plain, w->draft->key[i]);
		hmac_sha256(w->draft->mask_key, HASH_BYTES,
			    plain.len ? plain.data : "", plain.len, ref);
		put_hash(w->out, w->plan->by[i], ref, ID_BYTES);
	}
	buf_putc(w->out, '}');
}

/* A calendar's period by its name, others by when they begin. */
static void name_period(const struct writing *w, struct buf *out,
			int64_t period) {
	const struct window *window = &w->plan->window;
	usec_t standard = w->zone->standard * USEC_PER_SEC;

	if (window->kind == WINDOW_CALENDAR)
		period_name(w->plan->calendar, window->unit, period, out);
	else if (window_is_stretch(window))
		time_format_rfc3339(out, period, w->zone);
	else
		time_format_rfc3339(out, period * window->width - standard,
				    w->zone);
}

static void write_period(const struct writing *w) {
	CLEANUP(buf_free) struct buf name = { 0 };

	if (w->draft->has_period)
		name_period(w, &name, w->draft->period);
	put_text(w->out, "period",
		 w->draft->has_period ? buf_cstr(&name) : NULL);
}

/* The text in @language, else in another one, else NULL. */
static const struct text *choose(const struct texts *texts,
				 enum language language) {
	if (texts->given[language])
		return &texts->in[language];
	for (size_t i = 0; i < LANGUAGE_MAX; i++) {
		if (texts->given[i])
			return &texts->in[i];
	}
	return NULL;
}

static void put_rendered(const struct writing *w, const char *key,
			 const struct text *text, const char *otherwise,
			 enum language language) {
	CLEANUP(buf_free) struct buf rendered = { 0 };

	put_key(w->out, key);
	if (text)
		text_render(&rendered, text,
			    &(struct text_place){ .frame = w->draft->frame,
						  .masks = w->masks,
						  .context = &w->draft->context,
						  .calendar = w->plan->calendar,
						  .language = language });
	else
		buf_puts(&rendered, otherwise);
	buf_json_string(w->out, rendered.data, rendered.len);
}

static void write_language(const struct writing *w, enum language language) {
	const struct rule *rule = w->rule;
	const struct text *title = choose(&rule->title, language);
	const struct text *message = choose(&rule->message, language);

	buf_putc(w->out, '{');
	put_rendered(w, "title", title, rule->name, language);
	put_rendered(w, "message", message ? message : title, rule->name,
		     language);
	put_rendered(w, "advice", choose(&rule->advice, language), "",
		     language);
	buf_putc(w->out, '}');
}

static void write_texts(const struct writing *w) {
	put_key(w->out, "text");
	buf_putc(w->out, '{');
	put_key(w->out, "zh");
	write_language(w, LANGUAGE_ZH);
	put_key(w->out, "en");
	write_language(w, LANGUAGE_EN);
	buf_putc(w->out, '}');

	if (w->rule->legal_basis.n)
		put_rendered(w, "legal_basis", &w->rule->legal_basis, "",
			     LANGUAGE_ZH);
	else
		put_text(w->out, "legal_basis", NULL);
}

/* Whom the points concern: an expression, or the key field of that name. */
static void write_scored(const struct writing *w, const struct score *score) {
	put_key(w->out, "of");
	if (score->of) {
		put_masked(w->out,
			   expr_eval(score->of, w->draft->frame,
				     &w->draft->context),
			   text_mask_of(score->of, w->masks), w->zone);
		return;
	}
	for (size_t i = 0; i < w->plan->n_by; i++) {
		if (strcmp(w->plan->by[i], score->entity))
			continue;
		put_masked(w->out, w->draft->key[i], mask_of_key(w->plan, i),
			   w->zone);
		return;
	}
	buf_puts(w->out, "null");
}

/* The level stands in the head, and the seam changes heads: all points. */
static void write_score(const struct writing *w, const struct score *score) {
	buf_comma(w->out);
	buf_putc(w->out, '{');
	put_text(w->out, "entity", score->entity);
	write_scored(w, score);
	put_key(w->out, "points");
	buf_double(w->out, score->points);
	put_key(w->out, "by_level");
	buf_putc(w->out, '{');
	for (int level = LEVEL_RED; level > LEVEL_NONE; level--) {
		if (score->by_level[level] < 0.0)
			continue;
		put_key(w->out, level_name((enum level)level));
		buf_double(w->out, score->by_level[level]);
	}
	buf_puts(w->out, "}}");
}

static void write_scores(const struct writing *w) {
	put_key(w->out, "score");
	buf_putc(w->out, '[');
	for (size_t i = 0; i < w->rule->n_scores; i++)
		write_score(w, &w->rule->scores[i]);
	buf_putc(w->out, ']');
}

/* Names of which the unit has been written. */
struct unit_names {
	const char **names;
	size_t n;
};

static void put_unit(struct buf *out, struct unit_names *seen, const char *name,
		     struct type type) {
	if (type.kind != KIND_MONEY)
		return;
	for (size_t i = 0; i < seen->n; i++) {
		if (!strcmp(seen->names[i], name))
			return;
	}
	seen->names[seen->n++] = name;
	put_text(out, name, currency_code(type.unit));
}

static struct type type_of_evidence(const struct plan *plan, size_t i) {
	for (size_t input = 0; input < plan->n_inputs; input++) {
		const struct field *field = stream_slot(
			plan->inputs[input].stream,
			plan->evidence_slot[input * plan->n_evidence + i]);

		if (field)
			return field->type;
	}
	return (struct type){ 0 };
}

/* Currencies of the money in `values`, `key` and `evidence`, by name. */
static void write_units(const struct writing *w, struct arena *arena) {
	const struct rule *rule = w->rule;
	const struct plan *plan = w->plan;
	size_t most = rule->n_slots + plan->n_by + plan->n_evidence;
	struct unit_names seen = { .names = arena_array(arena, const char *,
							most + 1) };

	put_key(w->out, "units");
	buf_putc(w->out, '{');
	for (size_t i = 0; i < rule->n_slots; i++) {
		if (rule->binds[i].shown)
			put_unit(w->out, &seen, rule->binds[i].name,
				 rule->binds[i].type);
	}
	for (size_t i = 0; i < plan->n_by; i++)
		put_unit(w->out, &seen, plan->by[i], plan->by_types[i]);
	for (size_t i = 0; i < plan->n_evidence; i++)
		put_unit(w->out, &seen, plan->evidence_fields[i],
			 type_of_evidence(plan, i));
	buf_putc(w->out, '}');
}

/* How far apart two sides are, or missing where that has no meaning. */
static struct value margin(struct value a, struct value b) {
	int64_t difference;

	if (a.kind == KIND_DOUBLE && b.kind == KIND_DOUBLE)
		return value_double(a.d - b.d);
	if (a.kind == KIND_INT && b.kind == KIND_DOUBLE)
		return value_double((double)a.i - b.d);
	if (a.kind == KIND_DOUBLE && b.kind == KIND_INT)
		return value_double(a.d - (double)b.i);
	if (a.kind != b.kind || a.unit != b.unit ||
	    (a.kind != KIND_INT && a.kind != KIND_MONEY &&
	     a.kind != KIND_DATE && a.kind != KIND_TIMESTAMP &&
	     a.kind != KIND_DURATION) ||
	    __builtin_sub_overflow(a.i, b.i, &difference))
		return value_missing(MISSING_ERROR);
	if (a.kind == KIND_MONEY)
		return value_money(difference, a.unit);
	if (a.kind == KIND_TIMESTAMP || a.kind == KIND_DURATION)
		return value_duration(difference);
	return value_int(difference);
}

static struct value side(const struct writing *w, const struct expr *expr,
			 enum mask *mask) {
	if (!expr)
		return value_missing(MISSING_ERROR);
	*mask = stricter(*mask, text_mask_of(expr, w->masks));
	return expr_eval(expr, w->draft->frame, &w->draft->context);
}

static bool is_comparison(const struct expr_clause *clause) {
	return clause->left && clause->right &&
	       clause->operator&& strcmp(clause->operator, "in");
}

static void write_clause(const struct writing *w, const char *band,
			 const struct expr_clause *clause) {
	enum mask mask = MASK_NONE;
	struct value holds =
		expr_eval(clause->test, w->draft->frame, &w->draft->context);
	struct value left = side(w, clause->left, &mask);
	struct value right = side(w, clause->right, &mask);
	struct value apart = is_comparison(clause)
				     ? margin(left, right)
				     : value_missing(MISSING_ERROR);

	buf_comma(w->out);
	buf_putc(w->out, '{');
	put_text(w->out, "band", band);
	put_text(w->out, "expr", clause->text);
	put_key(w->out, "holds");
	value_json(w->out, holds, w->zone);
	put_key(w->out, "value");
	put_masked(w->out, clause->left ? left : holds, mask, w->zone);
	put_key(w->out, "threshold");
	put_masked(w->out, right, mask, w->zone);
	put_key(w->out, "margin");
	put_masked(w->out, apart, mask, w->zone);
	buf_putc(w->out, '}');
}

static void write_condition(const struct writing *w, const char *band,
			    const struct condition *condition) {
	for (size_t i = 0; i < condition->n_clauses; i++)
		write_clause(w, band, &condition->clauses[i]);
}

static void write_clauses(const struct writing *w) {
	put_key(w->out, "clauses");
	buf_putc(w->out, '[');
	write_condition(w, "alert_if", &w->rule->alert_if);
	for (int level = LEVEL_RED; level > LEVEL_NONE; level--)
		write_condition(w, level_name((enum level)level),
				&w->rule->level[level]);
	write_condition(w, "resolve_if", &w->rule->resolve_if);
	buf_putc(w->out, ']');
}

static void put_missing(struct buf *out, const char *name, struct value value) {
	if (!value_is_missing(value))
		return;
	buf_comma(out);
	buf_putc(out, '{');
	put_text(out, "name", name);
	put_text(out, "reason", missing_name((enum missing)value.reason));
	buf_putc(out, '}');
}

/* Bands repeat each other's clauses; each is named once. */
static bool stands_before(const struct condition *const *conditions, size_t n,
			  size_t clause, const char *text) {
	for (size_t i = 0; i <= n; i++) {
		size_t end = i < n ? conditions[i]->n_clauses : clause;

		for (size_t j = 0; j < end; j++) {
			if (!strcmp(conditions[i]->clauses[j].text, text))
				return true;
		}
	}
	return false;
}

static void write_missing_clauses(const struct writing *w) {
	const struct rule *rule = w->rule;
	const struct condition *all[] = {
		&rule->alert_if,
		&rule->level[LEVEL_RED],
		&rule->level[LEVEL_ORANGE],
		&rule->level[LEVEL_YELLOW],
		&rule->level[LEVEL_GREEN],
		&rule->resolve_if,
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		for (size_t j = 0; j < all[i]->n_clauses; j++) {
			const struct expr_clause *clause = &all[i]->clauses[j];

			if (!stands_before(all, i, j, clause->text))
				put_missing(w->out, clause->text,
					    expr_eval(clause->test,
						      w->draft->frame,
						      &w->draft->context));
		}
	}
}

static void write_missing(const struct writing *w) {
	put_key(w->out, "missing");
	buf_putc(w->out, '[');
	for (size_t i = 0; i < w->rule->n_slots; i++)
		put_missing(w->out, w->rule->binds[i].name, w->draft->frame[i]);
	write_missing_clauses(w);
	buf_putc(w->out, ']');
}

static const char *stat_name(enum baseline_stat stat) {
	switch (stat) {
	case STAT_IQR:
		return "iqr";
	case STAT_MEAN_SD:
		return "mean_sd";
	case STAT_MEDIAN:
		return "median";
	case STAT_MEDIAN_MAD:
		return "median_mad";
	}
	return NULL;
}

static void write_past(const struct writing *w,
		       const struct baseline_used *used) {
	put_key(w->out, "past");
	buf_putc(w->out, '{');
	for (size_t i = 0; i < used->n_past; i++) {
		CLEANUP(buf_free) struct buf name = { 0 };

		name_period(w, &name, used->past[i].period);
		put_key(w->out, buf_cstr(&name));
		value_json(w->out, used->past[i].value, w->zone);
	}
	buf_putc(w->out, '}');
}

static void write_named(const struct writing *w, const char *key,
			const char *const *names, const enum mask *masks,
			const struct value *values, size_t n) {
	put_key(w->out, key);
	buf_putc(w->out, '{');
	for (size_t i = 0; i < n; i++) {
		put_key(w->out, names[i]);
		put_masked(w->out, values[i], masks[i], w->zone);
	}
	buf_putc(w->out, '}');
}

/* Whose values they were: those of the first cohort that had enough. */
static void write_peers(const struct writing *w,
			const struct baseline_used *used) {
	const struct peers *peers = used->baseline->circles[0].plan->peers;
	const struct plan *cohorts = used->circle ? used->circle->plan : NULL;

	put_key(w->out, "peers");
	buf_putc(w->out, '{');
	if (cohorts) {
		write_named(w, "cohort", cohorts->by, cohorts->by_masks,
			    used->cohort, cohorts->n_by);
	} else {
		put_key(w->out, "cohort");
		buf_puts(w->out, "null");
	}
	write_named(w, "without", peers->same, peers->same_masks, used->same,
		    peers->n_same);
	put_key(w->out, "exact");
	buf_puts(w->out, used->is_coarse ? "false" : "true");
	buf_putc(w->out, '}');
}

static void write_baseline(const struct writing *w,
			   const struct baseline_used *used) {
	const struct baseline *b = used->baseline;

	put_key(w->out, used->name);
	buf_putc(w->out, '{');
	put_text(w->out, "of", b->of);
	put_text(w->out, "stat", stat_name(b->stat));
	put_key(w->out, "mid");
	value_json(w->out, used->mid, w->zone);
	put_key(w->out, "spread");
	value_json(w->out, used->spread, w->zone);
	put_count(w->out, "n", used->n);
	put_text(w->out, "unit",
		 b->type.kind == KIND_MONEY ? currency_code(b->type.unit)
					    : NULL);
	if (b->n_circles)
		write_peers(w, used);
	else
		write_past(w, used);
	buf_putc(w->out, '}');
}

static void write_baselines(const struct writing *w) {
	put_key(w->out, "baselines");
	buf_putc(w->out, '{');
	for (size_t i = 0; i < w->draft->n_baselines; i++)
		write_baseline(w, &w->draft->baselines[i]);
	buf_putc(w->out, '}');
}

static void write_shown(const struct writing *w, const struct shown *shown) {
	const struct plan *plan = w->plan;

	buf_comma(w->out);
	buf_putc(w->out, '{');
	put_text(w->out, "topic", shown->at.topic);
	put_key(w->out, "partition");
	buf_int(w->out, shown->at.partition);
	put_key(w->out, "offset");
	value_json(w->out, value_int(shown->at.offset), NULL);
	put_time(w->out, "time", shown->time, w->zone);
	put_key(w->out, "fields");
	buf_putc(w->out, '{');
	for (size_t i = 0; i < plan->n_evidence; i++) {
		put_key(w->out, plan->evidence_fields[i]);
		put_masked(w->out, shown->fields[i],
			   plan->evidence_masks ? plan->evidence_masks[i]
						: MASK_NONE,
			   w->zone);
	}
	buf_puts(w->out, "}}");
}

static void write_evidence(const struct writing *w) {
	const struct draft *draft = w->draft;
	uint8_t digest[ID_BYTES];

	for (size_t i = 0; i < 8; i++) {
		digest[i] = (uint8_t)(draft->digest[1] >> (56 - 8 * i));
		digest[8 + i] = (uint8_t)(draft->digest[0] >> (56 - 8 * i));
	}
	put_key(w->out, "evidence");
	buf_putc(w->out, '{');
	put_count(w->out, "count", draft->evidence_count);
	put_key(w->out, "complete");
	buf_puts(w->out, draft->evidence_complete ? "true" : "false");
	put_hash(w->out, "digest", digest, sizeof(digest));
	put_key(w->out, "shown");
	buf_putc(w->out, '[');
	for (size_t i = 0; i < draft->n_shown; i++)
		write_shown(w, &draft->shown[i]);
	buf_puts(w->out, "]}");
}

/* Of a file its content; of a stream the records that have come. */
static const void *table_hash(const struct draft *draft,
			      const struct table *table) {
	const struct registry *registry = table->registry;

	return registry && draft->registries
		       ? (const void *)draft->registries[registry->index]
		       : (const void *)table->hash;
}

static void write_sources(const struct writing *w) {
	const struct rule *rule = w->rule;

	put_key(w->out, "tables");
	buf_putc(w->out, '{');
	for (size_t i = 0; i < rule->n_tables; i++)
		put_hash(w->out, rule->tables[i]->name,
			 table_hash(w->draft, rule->tables[i]), ID_BYTES);
	buf_putc(w->out, '}');
	put_key(w->out, "lists");
	buf_putc(w->out, '{');
	for (size_t i = 0; i < rule->n_lists; i++)
		put_hash(w->out, rule->lists[i]->name, rule->lists[i]->hash,
			 sizeof(rule->lists[i]->hash));
	buf_putc(w->out, '}');
	put_key(w->out, "calendar");
	buf_putc(w->out, '{');
	put_text(w->out, "name", w->plan->calendar->name);
	put_hash(w->out, "hash", w->plan->calendar->hash,
		 sizeof(w->plan->calendar->hash));
	buf_putc(w->out, '}');
}

static void write_exception(const struct writing *w,
			    const struct exception *exception) {
	buf_putc(w->out, '{');
	put_text(w->out, "reason", exception->reason);
	put_text(w->out, "approved_by", exception->approved_by);
	put_key(w->out, "until");
	value_json(w->out,
		   exception->until == INT64_MAX ? value_missing(MISSING_FIELD)
						 : value_date(exception->until),
		   NULL);
	buf_putc(w->out, '}');
}

static void write_inputs(const struct writing *w) {
	put_key(w->out, "inputs");
	buf_putc(w->out, '{');
	put_count(w->out, "engine", ENGINE_NUMBER);
	put_hash(w->out, "rule", w->rule->hash, sizeof(w->rule->hash));
	write_sources(w);
	put_time(w->out, "watermark", w->draft->watermark, w->zone);
	put_key(w->out, "exceptions");
	buf_putc(w->out, '[');
	if (w->draft->exception)
		write_exception(w, w->draft->exception);
	buf_puts(w->out, "]}");
}

static void put_share(struct buf *out, const char *key, uint64_t part,
		      uint64_t of, double otherwise) {
	put_key(out, key);
	buf_double(out, of ? (double)part / (double)of : otherwise);
}

static void write_quality(const struct writing *w) {
	const struct draft *draft = w->draft;
	uint64_t samples = draft->evidence_count;

	put_key(w->out, "quality");
	buf_putc(w->out, '{');
	put_share(w->out, "coverage", samples,
		  samples + draft->lost + draft->overflow, 1.0);
	put_share(w->out, "late_share", draft->late, samples, 0.0);
	put_count(w->out, "samples", samples);
	put_count(w->out, "late", draft->late);
	put_count(w->out, "merged", draft->merged);
	put_count(w->out, "lost", draft->lost);
	put_count(w->out, "overflow", draft->overflow);
	buf_putc(w->out, '}');
}

static void write_all_values(const struct writing *w) {
	put_key(w->out, "values");
	buf_puts(w->out, "{\"at_fire\":");
	if (w->draft->at_fire)
		buf_add(w->out, w->draft->at_fire, w->draft->at_fire_len);
	else
		write_values(w);
	buf_puts(w->out, ",\"now\":");
	write_values(w);
	buf_putc(w->out, '}');
}

/* In a buffer of its own: what stands in @out is no business of the commas. */
void record_body(struct buf *out, const struct draft *draft) {
	CLEANUP(arena_free) struct arena arena = { 0 };
	CLEANUP(buf_free) struct buf object = { 0 };
	struct writing w = begin(&object, draft, &arena);

	put_text(&object, "rule", w.rule->name);
	put_text(&object, "package", w.rule->package);
	write_tags(&w);
	put_text(&object, "owner", w.rule->owner);
	put_text(&object, "runbook", w.rule->runbook);
	write_key(&w);
	write_key_refs(&w);
	write_period(&w);
	put_time(&object, "window_start", draft->window_start, w.zone);
	write_texts(&w);
	write_scores(&w);
	put_text(&object, "review", "new");
	write_all_values(&w);
	write_units(&w, &arena);
	write_clauses(&w);
	write_missing(&w);
	write_baselines(&w);
	write_evidence(&w);
	write_inputs(&w);
	write_quality(&w);
	buf_add(out, object.data, object.len);
}

void record_key(struct buf *out, const struct rule *rule,
		const struct value *key) {
	for (size_t i = 0; i < rule->plan->n_by; i++) {
		buf_puts(out, i ? " / " : "");
		text_mask(out, key[i], mask_of_key(rule->plan, i));
	}
}

void record_key_members(struct buf *out, const struct rule *rule,
			const struct value *key, const uint8_t *mask_key) {
	CLEANUP(arena_free) struct arena arena = { 0 };
	struct draft draft = { .rule = rule, .key = key, .mask_key = mask_key };
	struct writing w = begin(out, &draft, &arena);

	write_key(&w);
	write_key_refs(&w);
}

static void put_level(struct buf *out, const char *key, enum level level) {
	put_text(out, key, level == LEVEL_NONE ? NULL : level_name(level));
}

static void write_times(struct buf *out, const struct stamp *stamp) {
	put_key(out, "times");
	buf_putc(out, '{');
	put_time(out, "event", stamp->event, stamp->zone);
	put_time(out, "window_end",
		 stamp->window_end ? stamp->window_end : stamp->event,
		 stamp->zone);
	put_time(out, "detected", stamp->detected, stamp->zone);
	buf_putc(out, '}');
}

static void write_head(struct buf *out, const struct stamp *stamp) {
	buf_puts(out, "{\"schema\":1,\"id\":\"");
	buf_hex(out, stamp->id, sizeof(stamp->id));
	buf_putc(out, '"');
	put_text(out, "lane", stamp->lane);
	put_count(out, "seq", stamp->seq);
	put_count(out, "rev", stamp->rev);
	put_text(out, "state", alert_state_name(stamp->state));
	put_key(out, "open");
	buf_puts(out, stamp->open ? "true" : "false");
	put_text(out, "change", alert_change_name(stamp->change));
	put_text(out, "why", alert_why_name(stamp->why));
	put_level(out, "level", stamp->level);
	put_level(out, "was", stamp->was);
	write_times(out, stamp);
}

void record_chain(uint8_t hash[HASH_BYTES], const char *prev_hex,
		  const char *document, size_t len) {
	struct sha256_stream stream;

	sha256_begin(&stream);
	sha256_add(&stream, prev_hex, (size_t)2 * HASH_BYTES);
	sha256_add(&stream, document, len);
	sha256_add(&stream, "}", 1);
	sha256_end(&stream, hash);
}

void record_stamp(struct buf *out, const struct stamp *stamp, const char *body,
		  size_t len, uint8_t hash[HASH_BYTES]) {
	CLEANUP(buf_free) struct buf document = { 0 };
	CLEANUP(buf_free) struct buf prev = { 0 };

	write_head(&document, stamp);
	if (len)
		buf_putc(&document, ',');
	buf_add(&document, body, len);
	buf_hex(&prev, stamp->prev_hash, HASH_BYTES);
	record_chain(hash, prev.data, document.data, document.len);

	put_hash(&document, "prev_hash", stamp->prev_hash, HASH_BYTES);
	put_hash(&document, "hash", hash, HASH_BYTES);
	buf_putc(&document, '}');
	buf_add(out, document.data, document.len);
}
