#include "tool/expect.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/util.h"

static const struct shape_key keys[] = {
	{ "rule", "text", "any", "its name, with or without the package" },
	{ "at", "text", "any", "event time of the transition" },
	{ "change", "text", "any", "fired, raised, amended, resolved, …" },
	{ "level", "text", "any", "after it" },
	{ "was", "text", "any", "the level before it" },
	{ "state", "text", "any", "open, resolved, withdrawn, …" },
	{ "why", "text", "any", "what brought it about" },
	{ "open", "true|false", "any", "whether the alert is open after it" },
	{ "key", "{any}", "any", "fields of the key" },
	{ "period", "text", "any", "2026-03, say" },
	{ "with", "{any}", "any", "values, as precisely as they are written" },
};
const struct shape expect_shape = { "expect", keys, ARRAY_SIZE(keys) };

int expect_check(const struct yaml_node *expect, struct place place,
		 struct diag *diag) {
	size_t before = diag->n_errors;
	int r = 0;

	if (!expect)
		return diag_at(diag, place, "E503",
			       "a test says what it expects: `expect: []` "
			       "for nothing");
	if (expect->kind != YAML_LIST)
		return diag_at(diag, expect->place, "E503",
			       "`expect` is a list of transitions");
	for (size_t i = 0; i < expect->n; i++) {
		const struct yaml_node *item = expect->items[i];

		if (item->kind != YAML_MAP) {
			r = diag_at(diag, item->place, "E503",
				    "a transition is a map: {rule: …, at: …}");
			continue;
		}
		shape_keys(diag, item, "a transition", keys, ARRAY_SIZE(keys));
	}
	return diag->n_errors > before ? -EINVAL : r;
}

static bool text_is(const struct yaml_node *want, const char *got) {
	return want->kind == YAML_SCALAR && got && !strcmp(want->text, got);
}

/* "finance/split-purchase" or the name alone. */
static bool rule_is(const struct yaml_node *want, const char *full) {
	const char *name = strrchr(full, '/');

	return text_is(want, full) || (name && text_is(want, name + 1));
}

/* A date is any time of that day. */
static bool time_is(const struct yaml_node *want, usec_t at,
		    const struct zone *zone) {
	int64_t days;
	usec_t time;

	if (want->kind != YAML_SCALAR)
		return false;
	if (!date_parse(&days, want->text, want->len))
		return zone_days(zone, at) == days;
	return !time_parse_rfc3339(&time, want->text, want->len) && time == at;
}

static size_t decimals_of(const char *s) {
	const char *point = strchr(s, '.');

	return point ? strspn(point + 1, "0123456789") : 0;
}

/*
 * Money and whole numbers exactly, however many noughts are written; other
 * numbers to the decimals that the test writes.
 */
static bool number_is(const char *want, const char *got) {
	double a, b;
	int64_t x, y;

	if (!number_parse_plain(&x, want, strlen(want), 4) &&
	    !number_parse_plain(&y, got, strlen(got), 4))
		return x == y;
	if (number_parse_double(&a, want, strlen(want)) < 0 ||
	    number_parse_double(&b, got, strlen(got)) < 0)
		return false;
	if (!decimals_of(want))
		return a == b;
	return fabs(a - b) <= 0.5000001 * pow(10, -(double)decimals_of(want));
}

static bool value_is(const struct yaml_node *want, const struct json *got) {
	if (!got || want->kind != YAML_SCALAR)
		return false;
	if (got->kind == JSON_NULL)
		return yaml_is_null(want);
	if (got->kind == JSON_BOOL)
		return text_is(want, got->truth ? "true" : "false");
	return text_is(want, json_text(got)) ||
	       (json_text(got) && number_is(want->text, json_text(got)));
}

static bool members_are(const struct yaml_node *want, const struct json *got) {
	if (want->kind != YAML_MAP)
		return false;
	for (size_t i = 0; i < want->n; i++) {
		const struct json *member =
			json_get(got, want->pairs[i].key->text);

		if (!value_is(want->pairs[i].value, member))
			return false;
	}
	return true;
}

static bool period_is(const struct yaml_node *want, const struct json *got) {
	const char *name = json_text(got);

	return text_is(want, name ? name : json_text(json_get(got, "name")));
}

static bool fits(const char *key, const struct yaml_node *want,
		 const struct transition *got) {
	const struct outbox_item *item = &got->item;

	if (!strcmp(key, "rule"))
		return rule_is(want, item->rule);
	if (!strcmp(key, "at"))
		return time_is(want, item->at, got->zone);
	if (!strcmp(key, "level"))
		return text_is(want, level_name(item->level));
	if (!strcmp(key, "was"))
		return text_is(want, level_name(item->was));
	if (!strcmp(key, "state"))
		return text_is(want, alert_state_name(item->state));
	if (!strcmp(key, "change"))
		return text_is(want, alert_change_name(item->change));
	if (!strcmp(key, "why"))
		return text_is(want, alert_why_name(item->why));
	if (!strcmp(key, "open"))
		return text_is(want, item->open ? "true" : "false");
	if (!strcmp(key, "key"))
		return members_are(want, json_get(got->record, "key"));
	if (!strcmp(key, "period"))
		return period_is(want, json_get(got->record, "period"));
	return members_are(want,
			   json_get(json_get(got->record, "values"), "now"));
}

static bool is_expected(const struct yaml_node *want,
			const struct transition *got) {
	for (size_t i = 0; i < want->n; i++) {
		if (!fits(want->pairs[i].key->text, want->pairs[i].value, got))
			return false;
	}
	return true;
}

static void put_transition(struct buf *out, const struct transition *got) {
	const struct outbox_item *item = &got->item;
	const struct json *values =
		json_get(json_get(got->record, "values"), "now");

	buf_printf(out, "    came, not expected: {rule: %s, at: \"",
		   item->rule);
	time_format_rfc3339(out, item->at, got->zone);
	buf_printf(out,
		   "\", level: %s, change: %s, why: %s, state: %s, open: %s",
		   level_name(item->level), alert_change_name(item->change),
		   alert_why_name(item->why), alert_state_name(item->state),
		   item->open ? "true" : "false");
	buf_puts(out, ", with: {");
	for (const struct json *it = values ? values->first : NULL; it;
	     it = it->next) {
		const char *text = json_text(it);

		buf_printf(out, "%s%s: %s", it == values->first ? "" : ", ",
			   it->name,
			   text ? text
			   : it->kind == JSON_BOOL
				   ? (it->truth ? "true" : "false")
				   : "null");
	}
	buf_puts(out, "}}\n");
}

/* In one line, as people write it. */
static void put_flow(struct buf *out, const struct yaml_node *node) {
	switch (node->kind) {
	case YAML_SCALAR:
		if (node->plain)
			buf_add(out, node->text, node->len);
		else
			buf_json_string(out, node->text, node->len);
		break;
	case YAML_LIST:
		buf_putc(out, '[');
		for (size_t i = 0; i < node->n; i++) {
			buf_puts(out, i ? ", " : "");
			put_flow(out, node->items[i]);
		}
		buf_putc(out, ']');
		break;
	case YAML_MAP:
		buf_putc(out, '{');
		for (size_t i = 0; i < node->n; i++) {
			buf_puts(out, i ? ", " : "");
			put_flow(out, node->pairs[i].key);
			buf_puts(out, ": ");
			put_flow(out, node->pairs[i].value);
		}
		buf_putc(out, '}');
		break;
	}
}

static void put_wanted(struct buf *out, const struct yaml_node *want) {
	buf_puts(out, "    expected, did not come: ");
	put_flow(out, want);
	buf_putc(out, '\n');
}

size_t expect_compare(struct buf *out, const struct yaml_node *expect,
		      struct transition *transitions, size_t n) {
	size_t amiss = 0;

	for (size_t i = 0; i < expect->n; i++) {
		size_t k = 0;

		while (k < n &&
		       (transitions[k].matched ||
			!is_expected(expect->items[i], &transitions[k])))
			k++;
		if (k < n) {
			transitions[k].matched = true;
			continue;
		}
		put_wanted(out, expect->items[i]);
		amiss++;
	}
	for (size_t k = 0; k < n; k++) {
		if (transitions[k].matched)
			continue;
		put_transition(out, &transitions[k]);
		amiss++;
	}
	return amiss;
}
