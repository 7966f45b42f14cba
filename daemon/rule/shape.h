/*
 * Shape: which keys a map may have, and scalars of the expected kind.
 *
 * A key of a later release is known here and refused as such; a word of
 * another system gets a hint. Every getter complains itself and leaves its
 * result untouched on failure, and takes NULL (the key is not there) as
 * success without effect.
 */
#pragma once

#include "base/calendar.h"
#include "rule/yaml.h"

/*
 * What stands behind a key, for the reference and for editors; `or` joins
 * alternatives, the first one that fits counts:
 *
 *   text        any scalar        expression   the same, of the language
 *   type        of a field        date         2026-12-31
 *   duration    24h, 5bd, 3mo     fixed        of s m h d w only
 *   a|b|c       one of these      any          whatever it is
 *   1..10       whole number      0.0..10      number
 *   [T]         list of T         {T}          map from names to T
 *   <stream>    a map that the shape of this name describes
 *
 * SHAPE_LATER is no type: the key is known, and not in this release.
 */
#define SHAPE_LATER NULL

struct shape_key {
	const char *name;
	const char *type;
	const char *initial; /* "required", NULL: nothing stands for it */
	const char *help;
};

struct shape {
	const char *name;
	const struct shape_key *keys;
	size_t n;
};

/* Of files of rules, each where it is read. */
extern const struct shape package_shape, stream_shape, field_shape,
	numbers_shape, source_shape, source_field_shape, table_shape,
	list_shape, calendar_shape, rule_shape, texts_shape, input_shape,
	window_shape, until_shape, measure_shape, baseline_shape, level_shape,
	exception_shape, evidence_shape, score_shape, by_level_shape,
	override_shape;

/* @what is "a rule"; keys that begin with x- are always let through. */
void shape_keys(struct diag *diag, const struct yaml_node *map,
		const char *what, const struct shape_key *keys, size_t n);
int shape_later(struct diag *diag, struct place place, const char *what);

/* Is it a list, map or text? @name is how the complaint calls it. */
int shape_is(struct diag *diag, const struct yaml_node *node,
	     enum yaml_kind kind, const char *name);
int shape_text(struct diag *diag, const struct yaml_node *node,
	       const char *name, const char **ret);
int shape_choice(struct diag *diag, const struct yaml_node *node,
		 const char *name, const char *const *words, size_t n,
		 unsigned *ret);
int shape_number(struct diag *diag, const struct yaml_node *node,
		 const char *name, int64_t least, int64_t most, int64_t *ret);
int shape_double(struct diag *diag, const struct yaml_node *node,
		 const char *name, double least, double most, double *ret);
int shape_span(struct diag *diag, const struct yaml_node *node,
	       const char *name, struct span *ret);
/* Only a length that is the same everywhere: s m h d w. */
int shape_fixed(struct diag *diag, const struct yaml_node *node,
		const char *name, usec_t *ret);
int shape_date(struct diag *diag, const struct yaml_node *node,
	       const char *name, int64_t *ret);

/* Complains that @what `@name` does not exist; E203. */
int shape_unknown(struct diag *diag, struct place place, const char *what,
		  const char *name, const char *const *candidates, size_t n);

/* Pointers that grow in an arena. */
struct pointers {
	void **items;
	size_t n, cap;
};
void pointers_add(struct pointers *pointers, struct arena *arena, void *item);
