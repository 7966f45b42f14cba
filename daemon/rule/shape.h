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

/* A name with `later` behind it is not in this release. */
struct shape_key {
	const char *name;
	enum { SHAPE_NOW, SHAPE_LATER } when;
};

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
