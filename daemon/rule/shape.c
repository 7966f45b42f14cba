#include "rule/shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

/* What other systems call it. */
static const struct {
	const char *theirs, *ours;
} hints[] = {
	{ "query_key", "by" },     { "group-by", "by" },
	{ "groupby", "by" },       { "timeframe", "window" },
	{ "timespan", "window" },  { "realert", "cooldown" },
	{ "filter", "where" },     { "condition", "where" },
	{ "severity", "level" },   { "priority", "level" },
	{ "name", "rule" },        { "expr", "alert_if" },
	{ "description", "desc" }, { "enabled", "status" },
};

static const char *hint_for(const char *key, const struct shape_key *keys,
			    size_t n) {
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
		if (strcmp(hints[i].theirs, key) != 0)
			continue;
		for (size_t k = 0; k < n; k++)
			if (!strcmp(keys[k].name, hints[i].ours))
				return hints[i].ours;
	}
	return NULL;
}

static void unknown_key(struct diag *diag, const struct yaml_node *key,
			const char *what, const struct shape_key *keys,
			size_t n) {
	const char *names[64];
	const char *hint = hint_for(key->text, keys, n);
	const char *near;

	if (hint) {
		diag_at(diag, key->place, "E110",
			"%s has no key `%s`; here it is called `%s`", what,
			key->text, hint);
		return;
	}
	if (n > ARRAY_SIZE(names))
		n = ARRAY_SIZE(names);
	for (size_t i = 0; i < n; i++)
		names[i] = keys[i].name;
	near = diag_nearest(key->text, names, n);
	if (near)
		diag_at(diag, key->place, "E110",
			"%s has no key `%s` (did you mean `%s`?)", what,
			key->text, near);
	else
		diag_at(diag, key->place, "E110", "%s has no key `%s`", what,
			key->text);
}

int shape_later(struct diag *diag, struct place place, const char *what) {
	return diag_at(diag, place, "E111", "`%s` is not in this release",
		       what);
}

static void check_key(struct diag *diag, const struct yaml_node *key,
		      const char *what, const struct shape_key *keys,
		      size_t n) {
	if (!strncmp(key->text, "x-", 2))
		return;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(keys[i].name, key->text) != 0)
			continue;
		if (keys[i].type == SHAPE_LATER)
			shape_later(diag, key->place, key->text);
		return;
	}
	unknown_key(diag, key, what, keys, n);
}

void shape_keys(struct diag *diag, const struct yaml_node *map,
		const char *what, const struct shape_key *keys, size_t n) {
	for (size_t i = 0; i < map->n; i++)
		check_key(diag, map->pairs[i].key, what, keys, n);
}

int shape_is(struct diag *diag, const struct yaml_node *node,
	     enum yaml_kind kind, const char *name) {
	static const char *const kinds[] = { "a text", "a list", "a map" };

	if (node->kind == kind && !yaml_is_null(node))
		return 0;
	return diag_at(diag, node->place, "E104", "`%s` must be %s, this is %s",
		       name, kinds[kind], yaml_kind_name(node));
}

int shape_text(struct diag *diag, const struct yaml_node *node,
	       const char *name, const char **ret) {
	int r;

	if (!node)
		return 0;
	r = shape_is(diag, node, YAML_SCALAR, name);
	if (r < 0)
		return r;
	*ret = node->text;
	return 0;
}

int shape_choice(struct diag *diag, const struct yaml_node *node,
		 const char *name, const char *const *words, size_t n,
		 unsigned *ret) {
	CLEANUP(buf_free) struct buf list = { 0 };
	const char *text = NULL;
	const char *near;
	int r = shape_text(diag, node, name, &text);

	if (r < 0 || !text)
		return r;
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(words[i], text)) {
			*ret = i;
			return 0;
		}
	for (size_t i = 0; i < n; i++)
		buf_printf(&list, "%s%s",
			   !i          ? ""
			   : i + 1 < n ? ", "
				       : " or ",
			   words[i]);
	near = diag_nearest(text, words, n);
	if (near)
		return diag_at(diag, node->place, "E301",
			       "`%s` is %s, not `%s` (did you mean `%s`?)",
			       name, buf_cstr(&list), text, near);
	return diag_at(diag, node->place, "E301", "`%s` is %s, not `%s`", name,
		       buf_cstr(&list), text);
}

int shape_number(struct diag *diag, const struct yaml_node *node,
		 const char *name, int64_t least, int64_t most, int64_t *ret) {
	const char *text = NULL;
	int64_t n;
	int r = shape_text(diag, node, name, &text);

	if (r < 0 || !text)
		return r;
	if (number_parse_plain(&n, text, strlen(text), 0) < 0 || n < least ||
	    n > most)
		return diag_at(diag, node->place, "E302",
			       "`%s` is a whole number from %lld to %lld, not "
			       "`%s`",
			       name, (long long)least, (long long)most, text);
	*ret = n;
	return 0;
}

int shape_double(struct diag *diag, const struct yaml_node *node,
		 const char *name, double least, double most, double *ret) {
	const char *text = NULL;
	double d;
	int r = shape_text(diag, node, name, &text);

	if (r < 0 || !text)
		return r;
	if (number_parse_double(&d, text, strlen(text)) < 0 ||
	    !(d >= least && d <= most))
		return diag_at(diag, node->place, "E302",
			       "`%s` is a number from %g to %g, not `%s`", name,
			       least, most, text);
	*ret = d;
	return 0;
}

int shape_span(struct diag *diag, const struct yaml_node *node,
	       const char *name, struct span *ret) {
	const char *text = NULL;
	struct span span;
	int r = shape_text(diag, node, name, &text);

	if (r < 0 || !text)
		return r;
	if (span_parse(&span, text, strlen(text)) < 0 || span.n < 0)
		return diag_at(diag, node->place, "E303",
			       "`%s` is a duration such as 90s, 24h, 30d, 5bd, "
			       "3mo or 1y, not `%s`",
			       name, text);
	*ret = span;
	return 0;
}

int shape_fixed(struct diag *diag, const struct yaml_node *node,
		const char *name, usec_t *ret) {
	struct span span = { 0 };
	int r;

	if (!node)
		return 0;
	r = shape_span(diag, node, name, &span);
	if (r < 0)
		return r;
	if (span.unit != SPAN_FIXED)
		return diag_at(diag, node->place, "E303",
			       "`%s` needs a fixed length (s m h d w), and "
			       "`%s` is as long as the calendar makes it",
			       name, node->text);
	*ret = span.n;
	return 0;
}

int shape_date(struct diag *diag, const struct yaml_node *node,
	       const char *name, int64_t *ret) {
	const char *text = NULL;
	int64_t days;
	int r = shape_text(diag, node, name, &text);

	if (r < 0 || !text)
		return r;
	if (date_parse(&days, text, strlen(text)) < 0)
		return diag_at(diag, node->place, "E304",
			       "`%s` is a date such as 2026-12-31, not `%s`",
			       name, text);
	*ret = days;
	return 0;
}

int shape_unknown(struct diag *diag, struct place place, const char *what,
		  const char *name, const char *const *candidates, size_t n) {
	const char *near = n ? diag_nearest(name, candidates, n) : NULL;

	if (near)
		return diag_at(diag, place, "E203",
			       "%s `%s` (did you mean `%s`?)", what, name,
			       near);
	return diag_at(diag, place, "E203", "%s `%s`", what, name);
}

void pointers_add(struct pointers *pointers, struct arena *arena, void *item) {
	if (pointers->n == pointers->cap) {
		size_t cap = pointers->cap ? 2 * pointers->cap : 8;
		void **items = arena_array(arena, void *, cap);

		if (pointers->n)
			memcpy(items, pointers->items,
			       pointers->n * sizeof(*items));
		pointers->items = items;
		pointers->cap = cap;
	}
	pointers->items[pointers->n++] = item;
}
