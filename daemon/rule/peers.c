/*
 * Peers: a baseline that looks at others.
 *
 *   baseline:
 *     market: {of: unit_price, over: 180d, peers: [item, region],
 *              fallback: [[item]], exclude_same: [supplier]}
 *
 * Each list of names is a plan of its own, whose keys are the cohorts; the
 * baseline looks for the first cohort that has enough. So two rules that ask
 * for the same cohorts share them, whatever statistics they take. What they
 * gather comes with events, or from the rule's plan when a window is over.
 */
#include <errno.h>
#include <string.h>

#include "rule/compile.h"

#define ALL_NAMES (EXPAND_LETS | EXPAND_PARAMS | EXPAND_MACROS)
#define MAX_PARTS 16
#define MAX_CIRCLES 8

/* Names of a list, as parts; n 0: none was given. */
struct parts {
	const struct key_part *items[MAX_PARTS];
	size_t n;
};

static const struct key_part *key_part_of(const struct rule_build *b,
					  const struct yaml_node *name) {
	for (size_t i = 0; i < b->n_key; i++)
		if (yaml_is_text(name, b->key[i].name))
			return &b->key[i];
	return NULL;
}

/* A let is of all streams, a field of those that have it. */
static bool is_of(struct rule_build *b, size_t input,
		  const struct yaml_node *name) {
	return map_get(&b->lets, name->text, name->len) ||
	       input_field(b, input, name->text);
}

/* A part of the rule's key, else a field or let; NULL after a complaint. */
static const struct key_part *part_of(struct rule_build *b,
				      const struct yaml_node *name) {
	struct key_part *part;
	size_t found = 0;

	if (shape_is(b->l->diag, name, YAML_SCALAR, b->event_part) < 0)
		return NULL;
	if (key_part_of(b, name))
		return key_part_of(b, name);
	part = arena_new(b->l->arena, struct key_part);
	part->name = name->text;
	part->programs =
		arena_array(b->l->arena, const struct expr *, b->n_inputs);
	part->text = arena_printf(b->l->arena, "%s = %s", name->text,
				  canonical(b, name, ALL_NAMES));
	for (size_t i = 0; i < b->n_from; i++) {
		if (!is_of(b, i, name) && (found || i + 1 < b->n_from))
			continue;
		if (part_program(b, part, i, name) < 0)
			return NULL;
		found++;
	}
	return part;
}

static int read_parts(struct rule_build *b, const struct yaml_node *list,
		      const char *what, struct parts *ret) {
	b->event_part = arena_printf(b->l->arena, "`%s`", what);
	if (shape_is(b->l->diag, list, YAML_LIST, what) < 0)
		return -EINVAL;
	if (!list->n || list->n > MAX_PARTS)
		return diag_at(b->l->diag, list->place, "E302",
			       "`%s` names 1 to %d fields", what, MAX_PARTS);
	for (size_t i = 0; i < list->n; i++) {
		const struct key_part *part = part_of(b, list->items[i]);

		if (!part || part_is_key(b, part, list->items[i]) < 0)
			return -EINVAL;
		for (size_t k = 0; k < ret->n; k++)
			if (!strcmp(ret->items[k]->name, part->name))
				return diag_at(b->l->diag,
					       list->items[i]->place, "E231",
					       "`%s` stands twice", part->name);
		ret->items[ret->n++] = part;
	}
	return 0;
}

/* A value of each event. */
static const struct key_part *of_event(struct rule_build *b,
				       const struct yaml_node *name,
				       struct baseline *baseline) {
	const struct key_part *part;

	b->event_part = "`of`";
	part = part_of(b, name);
	if (!part)
		return NULL;
	baseline->of_event = true;
	baseline->of = part->name;
	baseline->mask = part->mask;
	return part;
}

static bool is_over_some_day(const struct window *window) {
	return window->kind == WINDOW_TUMBLE ||
	       window->kind == WINDOW_CALENDAR ||
	       window->kind == WINDOW_SESSION || window->kind == WINDOW_UNTIL;
}

/* A value of each window that is over; other plans' are others. */
static const struct key_part *of_measure(struct rule_build *b,
					 const struct yaml_node *node,
					 const struct yaml_node *name,
					 struct baseline *baseline) {
	const struct measure_ref *ref = baseline_of(b, node, name);
	struct key_part *part = arena_new(b->l->arena, struct key_part);

	if (!ref)
		return NULL;
	if (!is_over_some_day(&b->window)) {
		diag_at(b->l->diag, name->place, "E305",
			"peers of a measure are its values when a window is "
			"over, so the window must be tumbling, of the "
			"calendar, a session or until");
		return NULL;
	}
	baseline->measure = ref->measure->index;
	baseline->of = part->name = ref->measure->text;
	part->type = ref->measure->type;
	part->text = arena_printf(b->l->arena, "%s of {%s}", part->name,
				  b->plan->plan->text);
	return part;
}

static const struct key_part *read_of(struct rule_build *b,
				      const struct yaml_node *node,
				      struct baseline *baseline) {
	const struct yaml_node *name = yaml_get(node, "of");
	const struct key_part *part;

	if (name && name->kind == YAML_SCALAR &&
	    !map_get(&b->measures, name->text, name->len))
		part = of_event(b, name, baseline);
	else
		part = of_measure(b, node, name, baseline);
	if (part && !is_numeric(part->type)) {
		diag_at(b->l->diag, name->place, "E206",
			"a baseline is of numbers or money, `%s` is %s",
			name->text, type_text(b, part->type));
		return NULL;
	}
	return part;
}

/* What goes only with past periods. */
static int peers_only(struct rule_build *b, const struct yaml_node *node) {
	static const char *const names[] = { "only", "align", "empty" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct yaml_node *found = yaml_get(node, names[i]);

		if (found)
			r = diag_at(b->l->diag, found->place, "E305",
				    "`%s` goes with past periods of the key, "
				    "not with `peers`",
				    names[i]);
	}
	return r;
}

static int read_over(struct rule_build *b, const struct yaml_node *node,
		     usec_t *ret) {
	const struct yaml_node *over = yaml_get(node, "over");

	if (!over)
		return diag_at(b->l->diag, node->place, "E112",
			       "a baseline lacks `over`: how long the value of "
			       "a peer counts");
	if (shape_fixed(b->l->diag, over, "over", ret) < 0)
		return -EINVAL;
	if (*ret <= 0)
		return diag_at(b->l->diag, over->place, "E303",
			       "`over` cannot be empty");
	return 0;
}

/* Somebody must give a value and have all that it is put in order by. */
static bool has_source(const struct plan *plan) {
	for (size_t i = 0; i < plan->n_inputs; i++)
		if (plan->inputs[i].of)
			return true;
	return false;
}

static const uint16_t *keep_parts(struct rule_build *b,
				  const struct key_part *const *parts,
				  size_t n) {
	uint16_t *kept = arena_array(b->l->arena, uint16_t, n);

	for (size_t i = 0; i < n; i++)
		kept[i] = keep_part(b, parts[i]);
	return kept;
}

static void add_reader(struct rule_build *b, struct plan_build *build) {
	for (size_t i = 0; i < build->readers.n; i++)
		if (build->readers.items[i] == b->rule)
			return;
	pointers_add(&build->readers, b->l->arena, b->rule);
}

/* The rule's plan gives the cohorts what its measure comes to. */
static void add_handover(struct rule_build *b, const struct plan *cohorts,
			 const struct baseline *baseline, const uint16_t *by) {
	struct handover *handover;

	for (size_t i = 0; i < b->plan->handovers.n; i++) {
		handover = b->plan->handovers.items[i];
		if (handover->plan == cohorts)
			return;
	}
	handover = arena_new(b->l->arena, struct handover);
	*handover = (struct handover){ cohorts, baseline->measure, by,
				       baseline->same };
	pointers_add(&b->plan->handovers, b->l->arena, handover);
}

static int add_circle(struct rule_build *b, const struct yaml_node *list,
		      const char *what, struct plan_spec *spec,
		      const struct baseline *baseline, struct baseline_ref *ref,
		      struct circle *circle) {
	struct parts by = { 0 };
	struct plan_build *build;

	if (read_parts(b, list, what, &by) < 0)
		return -EINVAL;
	spec->by = by.items;
	spec->n_by = by.n;
	build = plan_for(b, spec);
	if (baseline->of_event && !has_source(build->plan))
		return diag_at(b->l->diag, list->place, "E236",
			       "no stream of `from` has `of` and all names of "
			       "`%s` and `exclude_same`",
			       what);
	*circle = (struct circle){ build->plan, keep_parts(b, by.items, by.n) };
	if (!baseline->of_event)
		add_handover(b, build->plan, baseline, circle->by);
	pointers_add(&ref->cohorts, b->l->arena, build);
	add_reader(b, build);
	return 0;
}

static int read_circles(struct rule_build *b, const struct yaml_node *node,
			struct plan_spec *spec, struct baseline *baseline,
			struct baseline_ref *ref) {
	const struct yaml_node *fallback = yaml_get(node, "fallback");
	size_t n = fallback ? fallback->n : 0;
	struct circle *circles = arena_array(b->l->arena, struct circle, n + 1);
	int r;

	if (fallback &&
	    shape_is(b->l->diag, fallback, YAML_LIST, "fallback") < 0)
		return -EINVAL;
	if (n >= MAX_CIRCLES)
		return diag_at(b->l->diag, fallback->place, "E302",
			       "`fallback` has at most %d lists",
			       MAX_CIRCLES - 1);
	r = add_circle(b, yaml_get(node, "peers"), "peers", spec, baseline, ref,
		       &circles[0]);
	for (size_t i = 0; i < n; i++)
		r |= add_circle(b, fallback->items[i], "fallback", spec,
				baseline, ref, &circles[i + 1]);
	baseline->circles = circles;
	baseline->n_circles = n + 1;
	return r ? -EINVAL : 0;
}

/* Sums of whole units are exact; all else needs the values in their order. */
static void ask_for(struct baseline_ref *ref, const struct baseline *baseline) {
	bool sums = baseline->stat == STAT_MEAN_SD &&
		    baseline->type.kind != KIND_DOUBLE;

	for (size_t i = 0; i < ref->cohorts.n; i++) {
		struct plan_build *build = ref->cohorts.items[i];

		build->peers->summed |= sums;
		build->peers->ranked |= !sums;
	}
}

int read_peers(struct rule_build *b, const struct yaml_node *node,
	       struct baseline *baseline, struct baseline_ref *ref) {
	const struct yaml_node *exclude = yaml_get(node, "exclude_same");
	struct window window = { .kind = WINDOW_PEERS };
	struct parts same = { 0 };
	struct peers_spec peers = { .same = same.items };
	struct plan_spec spec = { .window = &window, .peers = &peers };
	int64_t samples = 1;
	int r = peers_only(b, node) | read_over(b, node, &window.width);

	*baseline = (struct baseline){ .min_spread = 0.05 };
	peers.of = read_of(b, node, baseline);
	if (exclude)
		r |= read_parts(b, exclude, "exclude_same", &same);
	r |= shape_number(b->l->diag, yaml_get(node, "min_samples"),
			  "min_samples", 1, PEERS_MOST, &samples);
	r |= shape_double(b->l->diag, yaml_get(node, "min_spread"),
			  "min_spread", 0, 1000, &baseline->min_spread);
	r |= baseline_stat(b, yaml_get(node, "stat"), baseline);
	if (r || !peers.of)
		return -EINVAL;
	peers.n_same = same.n;
	ref->type = baseline->type = peers.of->type;
	baseline->min_samples = (uint32_t)samples;
	baseline->same = keep_parts(b, same.items, same.n);
	if (read_circles(b, node, &spec, baseline, ref) < 0)
		return -EINVAL;
	ask_for(ref, baseline);
	return 0;
}
