/*
 * Compile: one rule while it is made, and what its names mean.
 *
 * Names have two meanings. Where an event is looked at alone (where, by,
 * arguments of aggregates), a name is a slot of that event, and lets and
 * macros are put in place. Where a key is judged, it is a slot of the judging
 * frame, which is bound when the name is first used; a let is a slot as well,
 * so the frame's order is one in which everything can be computed.
 */
#pragma once

#include "rule/load.h"
#include "rule/table.h"

struct input_build {
	struct stream *stream;
	const char *alias;
	const struct yaml_node *own_where;
	struct expr_env *env;
	const struct field *list;    /* of `each`; NULL: none */
	const struct field *element; /* the one at hand */
};

struct let {
	const char *name;
	const struct expr_ast *tree;
	const char *text; /* canonical */
	struct place place;
	bool broken;
	bool bound;
	bool keyed; /* a stream's part of `by`, so it is put in place */
	uint16_t slot;
	struct expr *expr;
};

struct param {
	const char *name;
	const struct expr_ast *tree;
	const char *text;
	struct place place;
	bool used;
};

struct key_part {
	const char *name;
	struct type type;
	enum mask mask;
	const char *text;             /* canonical, of all inputs */
	const struct expr **programs; /* per input; NULL: it has none */
};

/* What a plan of cohorts gathers, and what it is shared by. */
struct peers_spec {
	const struct key_part *of;
	const struct key_part *const *same;
	size_t n_same;
};

struct plan_spec {
	const struct key_part *const *by;
	size_t n_by;
	const struct window *window;
	const struct peers_spec *peers; /* NULL but for cohorts */
};

/* A measure's or baseline's place in a plan. */
struct measure_ref {
	const char *name;
	struct place place;
	uint16_t plan; /* 0: the rule's own, else coarse - 1 */
	const struct measure *measure;
	bool several; /* only its members have a value, "b.mad" */
	bool broken;
};

struct baseline_ref {
	const char *name;
	struct place place;
	const struct baseline *baseline;
	struct pointers cohorts; /* struct plan_build, per circle */
	struct type type;        /* of .mid */
	bool broken;
};

struct coarse_build {
	struct plan_build *plan;
	uint16_t *map;
};

struct rule_build {
	struct loader *l;
	struct package *p;
	struct rule_source *source;
	const struct yaml_node *node;
	struct rule *rule;
	bool counts_workdays; /* by a function of the calendar */
	bool live; /* neither draft nor deprecated: its plans are shared */
	const struct calendar *calendar;
	struct input_build *inputs;
	size_t n_inputs;
	size_t n_from;        /* without the one that closes windows */
	const char *each;     /* what an element is called; NULL: no `each` */
	struct map params;    /* struct param */
	struct map lets;      /* struct let */
	struct map measures;  /* struct measure_ref */
	struct map baselines; /* struct baseline_ref */
	struct key_part *key;
	size_t n_key;
	const char *where_text;    /* canonical, all inputs */
	const struct expr **where; /* per input */
	struct expr_clause **where_clauses;
	size_t *n_where_clauses;
	struct window window;
	bool drop_late;
	uint32_t max_entries;
	struct plan_build *plan;
	struct pointers coarse; /* struct coarse_build */
	struct pointers binds;  /* struct bind */
	struct pointers tables, lists;
	struct pointers reads; /* const char *: fields, in order of use */
	struct expr_env *judging;
	struct let *current;    /* the let that is compiled for judging */
	const char *event_part; /* "where", "by", a measure: for complaints */
};

/* registry.c: `suppliers(party).founded`. */
int registry_call(struct rule_build *b, struct declared_table *declared,
		  const char *field, const struct type *args, size_t n_args,
		  struct place place, struct expr_call *ret);

/* names.c */
struct expr_env *event_env(struct rule_build *b, size_t input);
struct expr_env *judging_env(struct rule_build *b);
void read_lets(struct rule_build *b);
void read_params(struct rule_build *b);
/* Complains that @ref has members and no value of its own. */
int several_results(struct rule_build *b, const struct measure_ref *ref,
		    struct place place);
/* Binds every let, in order. */
void bind_measures(struct rule_build *b);
void bind_lets(struct rule_build *b);
void note_read(struct rule_build *b, const char *field);
/* Compiles for judging; @want may be NULL. NULL after a complaint. */
struct expr *compile_judging(struct rule_build *b, const struct yaml_node *node,
			     const struct type *want);
struct expr *compile_judging_text(struct rule_build *b, const char *text,
				  size_t len, struct place place,
				  const struct type *want);
int compile_condition(struct rule_build *b, const struct yaml_node *node,
		      struct condition *ret);

/* expand.c: names put in place, as text. */
enum expand { EXPAND_LETS = 1, EXPAND_PARAMS = 2, EXPAND_MACROS = 4 };
/* @text must be canonical (expr_print). */
const char *expand_text(struct rule_build *b, const char *text, unsigned what);
/* Parses, prints, expands; the text itself if it is no expression. */
const char *canonical(struct rule_build *b, const struct yaml_node *node,
		      unsigned what);
/* Calls @found for each name that is not a member of another one. */
void scan_names(const char *text,
		void (*found)(void *ctx, const char *name, size_t len,
			      const char *rest),
		void *ctx);
/* The rule as YAML with all in place, and the hash of that. */
void rule_expand(struct rule_build *b);

/* The field of that name, or the element that it stands for; NULL. */
struct field *input_field(const struct rule_build *b, size_t input,
			  const char *name);

/* plan.c */
int read_inputs(struct rule_build *b);
int read_each(struct rule_build *b);
int read_key(struct rule_build *b);
int read_where(struct rule_build *b);
/* If the window, as it is written, is judged only when it is over. */
bool judges_once(const struct rule_build *b);
bool is_until(const struct rule_build *b);
int read_window(struct rule_build *b);
void make_plan(struct rule_build *b);
void read_measures(struct rule_build *b);
struct plan_build *plan_for(struct rule_build *b, const struct plan_spec *spec);
bool is_identifier(const char *s);
bool is_numeric(struct type type);
const char *type_text(struct rule_build *b, struct type type);
/* One input's program of a part; its type must be that of the other inputs. */
int part_program(struct rule_build *b, struct key_part *part, size_t input,
		 const struct yaml_node *node);
/* Complains about what cannot be told apart, such as a list. */
int part_is_key(struct rule_build *b, const struct key_part *part,
		const struct yaml_node *node);
/* The measure of the rule's own key that @node names; NULL after a complaint.
 */
const struct measure_ref *baseline_of(struct rule_build *b,
				      const struct yaml_node *map,
				      const struct yaml_node *node);
int baseline_stat(struct rule_build *b, const struct yaml_node *node,
		  struct baseline *baseline);
/* Its index among the plan's kept values. */
uint16_t keep_part(struct rule_build *b, const struct key_part *part);
void read_baselines(struct rule_build *b);
void read_evidence(struct rule_build *b);
/* Its index among the plan's kept fields; -1 after a complaint. */
int keep_field(struct rule_build *b, const char *name, const char *field,
	       const char *alias);

/* peers.c: a baseline over peers. */
int read_peers(struct rule_build *b, const struct yaml_node *node,
	       struct baseline *baseline, struct baseline_ref *ref);

/* message.c */
void compile_texts(struct rule_build *b, const struct yaml_node *node,
		   const char *key, struct texts *ret);
int compile_text(struct rule_build *b, const struct yaml_node *node,
		 struct text *ret);
