/*
 * Lints: what loads and is probably not meant.
 */
#include <string.h>

#include "rule/load.h"

/* A thousand such keys are a gigabyte. */
#define COSTLY_KEY ((size_t)1 << 20)

static bool constant(const struct expr *test, bool *ret) {
	struct value value;

	if (!test || !expr_constant(test, &value) || value.kind != KIND_BOOL)
		return false;
	*ret = value.i;
	return true;
}

static void lint_where(struct loader *l, const struct rule *rule,
		       const struct yaml_node *node) {
	const struct yaml_node *where = yaml_get(node, "where");
	bool truth;

	if (!where || !constant(rule->plan->inputs[0].where, &truth))
		return;
	diag_at(l->diag, where->place, "W620", "`where` is always %s",
		truth ? "true" : "false");
}

/* A part of a condition that never changes it, or always decides it. */
static void lint_clauses(struct loader *l, const struct condition *condition,
			 const struct yaml_node *node, const char *name) {
	bool truth;

	if (!node || !condition->test)
		return;
	if (constant(condition->test, &truth)) {
		if (!truth)
			diag_at(l->diag, node->place, "W620",
				"`%s` is always false", name);
		return;
	}
	/* A part that decides alone is expr's to complain about. */
	for (size_t i = 0; i < condition->n_clauses; i++)
		if (constant(condition->clauses[i].test, &truth) &&
		    condition->clauses[i].conjunct == truth)
			diag_at(l->diag, node->place, "W620",
				"`%s` is always %s", condition->clauses[i].text,
				truth ? "true" : "false");
}

enum direction { EITHER, ABOVE, BELOW };

/* `total >= 5`: one clause, and a constant on the right. */
static enum direction threshold(const struct condition *condition,
				struct value *ret, bool *strict) {
	const struct expr_clause *clause = condition->clauses;

	if (condition->n_clauses != 1 || !clause->left || !clause->right ||
	    !clause->operator|| !expr_constant(clause->right, ret))
		return EITHER;
	*strict = !clause->operator[1];
	if (*clause->operator== '>')
		return ABOVE;
	return *clause->operator== '<' ? BELOW : EITHER;
}

/* If @lower is never true without @upper. */
static bool implies(const struct condition *lower,
		    const struct condition *upper) {
	struct value a, b;
	bool a_strict, b_strict;
	enum direction way;
	int r;

	if (!strcmp(expr_text(lower->test), expr_text(upper->test)))
		return true;
	way = threshold(lower, &a, &a_strict);
	if (way == EITHER || threshold(upper, &b, &b_strict) != way ||
	    a.kind != b.kind ||
	    strcmp(expr_text(lower->clauses->left),
		   expr_text(upper->clauses->left)) != 0)
		return false;
	r = value_compare(a, b);
	if (way == BELOW)
		r = -r;
	return r > 0 || (r == 0 && (a_strict || !b_strict));
}

/* The least band above @level that is true whenever it is. */
static const char *hidden_by(const struct rule *rule, int level) {
	for (int i = level + 1; i <= LEVEL_RED; i++)
		if (rule->level[i].test &&
		    implies(&rule->level[level], &rule->level[i]))
			return level_name((enum level)i);
	return NULL;
}

static void lint_levels(struct loader *l, const struct rule *rule,
			const struct yaml_node *node) {
	const struct yaml_node *levels = yaml_get(node, "level");
	const char *above = NULL, *hider;
	bool truth;

	for (int i = LEVEL_RED; i > LEVEL_NONE; i--) {
		const char *name = level_name((enum level)i);
		const struct yaml_node *at = yaml_get(levels, name);

		if (!rule->level[i].test || !at)
			continue;
		if (above)
			diag_at(l->diag, at->place, "W621",
				"`%s` is never reached: `%s` is always true",
				name, above);
		else if ((hider = hidden_by(rule, i)))
			diag_at(l->diag, at->place, "W621",
				"`%s` is never reached: `%s` is true whenever "
				"it is",
				name, hider);
		else
			lint_clauses(l, &rule->level[i], at, name);
		if (constant(rule->level[i].test, &truth) && truth && !above)
			above = name;
	}
}

/* Whoever gets the alert asks who wrote it, on what ground, and what to do. */
static void lint_completeness(struct loader *l, const struct rule *rule,
			      const struct yaml_node *node) {
	static const char *const keys[] = { "owner", "advice", "legal_basis",
					    "tests" };
	CLEANUP(buf_free) struct buf lacks = { 0 };

	if (rule->status != STATUS_LIVE)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!yaml_get(node, keys[i]))
			buf_printf(&lacks, "%s%s", lacks.len ? ", " : "",
				   keys[i]);
	if (lacks.len)
		diag_at(l->diag, rule->place, "W624",
			"rule `%s` is live and lacks %s", rule->name,
			buf_cstr(&lacks));
}

void lint_rule(struct loader *l, const struct rule *rule,
	       const struct yaml_node *node) {
	lint_where(l, rule, node);
	lint_clauses(l, &rule->alert_if, yaml_get(node, "alert_if"),
		     "alert_if");
	lint_clauses(l, &rule->resolve_if, yaml_get(node, "resolve_if"),
		     "resolve_if");
	lint_levels(l, rule, node);
	lint_completeness(l, rule, node);
}

void lint_cost(struct loader *l, const struct rule *rule) {
	struct rule_cost cost = rule_cost(rule);

	if (cost.most_bytes > COSTLY_KEY)
		diag_at(l->diag, rule->place, "W625",
			"one key of rule `%s` can take %zu KiB: %u entries of "
			"%zu bytes, %u periods of %zu; lower `max_entries` or "
			"`over`, or take panes",
			rule->name, cost.most_bytes >> 10, cost.entries,
			cost.entry_bytes, cost.periods, cost.period_bytes);
}

static void lint_year(struct loader *l, const struct holidays *holidays,
		      int32_t year) {
	const struct calendar *calendar = holidays->calendar;

	if (year < calendar->holidays_from || year > calendar->holidays_to)
		diag_at(l->diag, holidays->place, "W627",
			"calendar `%s` has no holidays of %d: every weekday "
			"of it counts as worked",
			calendar->name, (int)year);
}

void lint_holidays(struct loader *l) {
	int32_t year;
	unsigned month, day;

	if (!l->options || !l->options->today)
		return;
	civil_from_days(l->options->today, &year, &month, &day);
	for (size_t i = 0; i < l->holidays.n; i++) {
		struct holidays *holidays = l->holidays.items[i];

		for (size_t k = 0; k < l->set->n_rules; k++) {
			const struct rule *rule = l->set->rules[k];

			if (rule->counts_workdays &&
			    rule->plan->calendar == holidays->calendar)
				holidays->asked = true;
		}
		if (!holidays->asked)
			continue;
		lint_year(l, holidays, year - 1); /* compared with */
		lint_year(l, holidays, year);
		if (month == 12)
			lint_year(l, holidays, year + 1);
	}
}

/* Only if all is right otherwise: who would use it may be what is wrong. */
void lint_package(struct loader *l, const struct package *p) {
	if (l->diag->n_errors)
		return;
	for (size_t i = 0; i < p->macros.n; i++) {
		const struct macro *macro = p->macros.values[i];

		if (!macro->used)
			diag_at(l->diag, macro->place, "W622",
				"no rule uses the macro `%s`", macro->name);
	}
	for (size_t i = 0; i < p->lists.n; i++) {
		const struct declared_list *list = p->lists.values[i];

		if (!list->used)
			diag_at(l->diag, list->place, "W622",
				"no rule uses the list `%s`", list->list.name);
	}
	for (size_t i = 0; i < p->tables.n; i++) {
		const struct declared_table *table = p->tables.values[i];

		if (!table->used)
			diag_at(l->diag, table->place, "W622",
				"no rule uses the table `%s`",
				table->table.name);
	}
}
