/*
 * Yaml: a file as a tree that knows where everything stands.
 *
 * Rules are written by people, so the tree keeps places (line and column, in
 * code points) and how a scalar was written, and what YAML silently makes of
 * an unquoted expression is refused by name: a tag, an expression cut at a
 * comma, an anchor with nothing behind it, a key given twice, a key called
 * `on`. All complaints of a file are collected but for those of broken YAML,
 * after which there is nothing more to read.
 *
 * An alias is the very node that the anchor names, so a tree may meet itself
 * in several places, never in a circle. Aliases are bounded by what a walker
 * of the whole tree would see. `<<` merges as in YAML 1.1.
 *
 * Nodes live in the caller's arena; texts are NUL-terminated copies.
 */
#pragma once

#include "base/diag.h"

#include <stdbool.h>

#define YAML_MAX_BYTES ((size_t)8 << 20)
#define YAML_MAX_DEPTH 64
#define YAML_MAX_NODES 1000000 /* aliases counted at their full size */

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_pair {
	struct yaml_node *key; /* always a scalar */
	struct yaml_node *value;
};

struct yaml_node {
	enum yaml_kind kind;
	bool plain; /* a scalar without quotes and not a block */
	bool flow;  /* a list or map in [ ] or { } */
	struct place place;
	/* A scalar: its text, and where that begins (inside the quotes). */
	const char *text;
	size_t len;
	struct place inside;
	/* A list. */
	struct yaml_node **items;
	/* A map. */
	struct yaml_pair *pairs;
	size_t n;      /* items or pairs */
	size_t weight; /* nodes of the whole tree below, aliases in full */
};

/*
 * The one document of @source. -EINVAL after complaints, but *@ret may be set
 * even then, as far as the file could be read: NULL or a tree, for whoever
 * wants to complain about the rest of it as well.
 */
int yaml_parse(struct yaml_node **ret, struct arena *arena,
	       const struct source *source, struct diag *diag);
/* The same from a file; one that cannot be read is E103. */
int yaml_read(struct yaml_node **ret, struct arena *arena, const char *path,
	      struct diag *diag);

/* The value of a key, or NULL; also NULL if @map is no map (or NULL). */
struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
/* A plain empty scalar, `~` or `null`: a key without a value. */
bool yaml_is_null(const struct yaml_node *node);
bool yaml_is_text(const struct yaml_node *node, const char *text);
/* "a text", "a list", "a map": for complaints. */
const char *yaml_kind_name(const struct yaml_node *node);
/* Where @len bytes of a scalar stand, from the byte @from of its text. */
struct place yaml_place(const struct yaml_node *node, size_t from, size_t len);
/*
 * What stands behind the end of its line stands in the next one: a scalar over
 * several lines is one line to whoever counts in its text.
 */
void yaml_unfold(struct place *place);
/* Writes the tree as YAML that reads back as the same tree. */
void yaml_write(struct buf *out, const struct yaml_node *node, unsigned indent);
