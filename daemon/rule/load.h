/*
 * Load: what the parts of the loader share while a ruleset comes into being.
 *
 * Files of the same package are one package, so everything is declared first
 * and rules are compiled last. Plans are built in the order of rules; their
 * lists only grow, so an index handed out stays right. Nothing of this is
 * seen by anybody but daemon/rule.
 */
#pragma once

#include "base/map.h"
#include "rule/rule.h"
#include "rule/shape.h"

struct macro {
	const char *name;
	const struct expr_ast *tree;
	const char *text; /* canonical */
	struct place place;
	bool used;
};

struct declared_table {
	struct table table; /* first: what rules point to */
	struct place place;
	bool used;
	/* Of a registry: */
	struct stream *stream;
	const struct yaml_node *fields; /* that rules may read; NULL: all */
	struct pointers columns;        /* struct field: that they do read */
	struct pointers tables, lists;  /* that its `where` reads */
	bool has_keep;
};

struct declared_list {
	struct list list;
	struct place place;
	bool used;
};

/* A rule as written, with its overrides put in. */
struct rule_source {
	struct yaml_node *node;
	const char *name;
	struct place place;
	struct pointers notes; /* char *: what came from where */
	struct pointers keyed; /* struct yaml_node: overrides with where_key */
};

struct package {
	const char *name;
	struct map streams;   /* struct stream */
	struct map sources;   /* struct stream */
	struct map tables;    /* struct declared_table */
	struct map lists;     /* struct declared_list */
	struct map calendars; /* struct calendar */
	struct map macros;    /* struct macro */
	struct map rules;     /* struct rule_source */
	/* Of what names none: the only one, or `default`, or NULL. */
	const struct calendar *calendar;
	struct pointers files; /* struct yaml_node: roots */
};

struct plan_build {
	struct plan *plan;
	struct pointers measures;  /* struct measure */
	struct pointers baselines; /* struct baseline */
	struct pointers kept;      /* struct kept */
	struct pointers evidence;  /* struct evidence_field */
	struct pointers rules, watchers, readers;
	struct pointers handovers; /* struct handover */
	struct peers *peers;       /* the plan's, while rules add to it */
};

struct evidence_field {
	const char *name;
	enum mask mask;
	int32_t *slot; /* per input */
};

/* A calendar's holidays, for what is said of the years that lack them. */
struct holidays {
	const struct calendar *calendar;
	struct place place;
	bool asked; /* a rule counts business days by it */
};

struct loader {
	struct ruleset *set;
	struct arena *arena; /* the ruleset's */
	struct diag *diag;
	const struct ruleset_options *options;
	struct map packages;
	struct pointers streams, calendars, tables, lists;
	struct pointers contents; /* struct content */
	struct pointers holidays; /* struct holidays */
	struct pointers plans;    /* struct plan_build */
	struct pointers rules;    /* struct rule */
	struct pointers tests;    /* struct rule_test */
	struct map plan_index;    /* plan text -> struct plan_build */
	struct charset *charsets[CHARSET_MAX]; /* NULL: not asked for yet */
};

/* Adds a pointer that is not there yet. */
void add_once(struct pointers *pointers, struct arena *arena, void *item);
/* declare.c, table.c: calendars, lists, macros, tables of one file. */
void declare_calendars(struct loader *l, struct package *p,
		       const struct yaml_node *node);
void declare_tables(struct loader *l, struct package *p,
		    const struct yaml_node *node);
/* registry.c: tables that a stream fills. */
void declare_registry(struct loader *l, struct package *p,
		      struct declared_table *declared,
		      const struct yaml_node *node);
/* Once the rules are sorted: which are read, and for how long. */
void finish_registries(struct loader *l);
/* Rows that are to stand in for those of a table that is not there. */
void check_replaced(struct loader *l, const struct package *p);
void declare_lists(struct loader *l, struct package *p,
		   const struct yaml_node *node);
void declare_macros(struct loader *l, struct package *p,
		    const struct yaml_node *node);
/* By name, the package's own if @node is NULL; NULL after a complaint. */
const struct calendar *find_calendar(struct loader *l, struct package *p,
				     const struct yaml_node *node,
				     struct place place, const char *who);
/* @path as seen from the file in which @node stands. */
const char *beside(struct loader *l, const struct yaml_node *node,
		   const char *path);
/* False after a complaint, if @map has @name already. */
bool declare_new(struct loader *l, struct map *map, const char *what,
		 const struct yaml_node *key, struct place first);
int parse_type(struct loader *l, const struct yaml_node *node,
	       struct type *ret);

/* stream.c */
void declare_sources(struct loader *l, struct package *p,
		     const struct yaml_node *node);
/* Once all rules are compiled: what they read of the base, in which slots. */
void source_finish(struct stream *stream);
void declare_streams(struct loader *l, struct package *p,
		     const struct yaml_node *node);
/* Its slot, given to it now if nobody read it before. */
uint16_t field_slot(struct stream *stream, struct field *field);
/* What stands for the elements of @list, with a slot of its own. */
const struct field *element_field(struct loader *l, struct stream *stream,
				  struct field *list);

/* compile.c: a rule, with all plans it asks for. */
void rule_compile(struct loader *l, struct package *p,
		  struct rule_source *source);

/* plan.c: lists become arrays, once all rules have added to them. */
void plan_finish(struct loader *l, struct plan_build *build, uint16_t index);

/* cost.c: the largest piece of a key's state, the key's own text left out. */
size_t plan_cell_bytes(const struct plan *plan);

/* lint.c */
/* Of this year, its neighbours, and what a rule asks of them. */
void lint_holidays(struct loader *l);
void lint_package(struct loader *l, const struct package *p);
/* Once the plans are finished. */
void lint_cost(struct loader *l, const struct rule *rule);
void lint_rule(struct loader *l, const struct rule *rule,
	       const struct yaml_node *node);
