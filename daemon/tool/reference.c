#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/util.h"
#include "config.h"
#include "expr/term.h"
#include "lane_report.h"
#include "tocsin/aggregate.h"
#include "tool/completion.h"
#include "tool/schema.h"
#include "tool/sheet.h"
#include "tool/verb.h"
#include "usage.h"

/*** keys of rule files ***/

static void shape(struct sheet *sheet, const struct shape *shape) {
	struct buf later = { 0 };

	sheet_topic(sheet, shape->name);
	sheet_table(sheet, "`key, `type, default, meaning");
	for (size_t i = 0; i < shape->n; i++) {
		const struct shape_key *key = &shape->keys[i];

		if (key->type == SHAPE_LATER)
			buf_printf(&later, "%s`%s`", later.len ? ", " : "",
				   key->name);
		else
			sheet_row(sheet, key->name, key->type, key->initial,
				  key->help);
	}
	sheet_end(sheet);
	if (later.len) {
		buf_puts(&later, ": known, and not in this release.");
		sheet_text(sheet, buf_cstr(&later));
	}
	buf_free(&later);
}

static void shapes(struct sheet *sheet) {
	sheet_section(sheet, "Keys");
	sheet_text(sheet,
		   "Types: `text` any scalar; `expression` in CEL; `fixed` a "
		   "length such as 90s, 24h, 30d or 2w; `duration` also 5bd "
		   "(business days), 3mo or 1y; `a|b` one of these words; "
		   "`1..10` a whole number; `0.0..10` a number; `[T]` a list; "
		   "`{T}` a map from names to T; `<rule>` a map with the keys "
		   "below that name. Keys that begin with x- are yours.");
	for (size_t i = 0; i < n_shapes; i++)
		shape(sheet, all_shapes[i]);
}

/*** aggregates ***/

static void put_kinds(struct buf *out, uint32_t kinds) {
	static const char *const names[KIND_MAX] = {
		[KIND_BOOL] = "bool",         [KIND_INT] = "int",
		[KIND_DOUBLE] = "double",     [KIND_STRING] = "string",
		[KIND_DATE] = "date",         [KIND_TIMESTAMP] = "timestamp",
		[KIND_DURATION] = "duration", [KIND_MONEY] = "money",
	};
	const char *comma = "";

	for (size_t i = 0; i < KIND_MAX; i++)
		if (names[i] && kinds & 1u << i) {
			buf_printf(out, "%s%s", comma, names[i]);
			comma = ", ";
		}
}

/* Of x that it takes, what it folds or takes back: all, none, or which. */
static void put_part(struct buf *out, const struct aggregate *of,
		     uint32_t kinds) {
	uint32_t takes = of->kinds ? of->kinds : UINT32_MAX;

	if (!(takes & kinds))
		buf_puts(out, "no");
	else if ((takes & ~kinds) == 0)
		buf_puts(out, "yes");
	else
		put_kinds(out, takes & kinds);
}

static void aggregate(struct sheet *sheet, const struct aggregate *it) {
	const struct aggregate *of = it;
	struct buf empty = { 0 }, folds = { 0 }, retracts = { 0 };

	if (it->members)
		of = it->members((struct value){
			.kind = KIND_INT, .i = (int64_t)it->constant.least });
	for (const struct aggregate *member = of; it->members && member->name;
	     member++)
		buf_printf(&empty, "%s.%s %s", empty.len ? ", " : "",
			   member->name,
			   member->zero_when_empty ? "0" : "missing");
	if (!it->members)
		buf_puts(&empty, !it->zero_when_empty           ? "missing"
				 : it->result_kind == KIND_BOOL ? "false"
								: "0");
	put_part(&folds, of, of->folds);
	if (of->folds)
		buf_printf(&folds, ": %zu bytes", of->state_size);
	put_part(&retracts, of, of->retracts);
	sheet_row(sheet, it->signature, buf_cstr(&empty), buf_cstr(&folds),
		  buf_cstr(&retracts), it->summary);
	buf_free(&empty);
	buf_free(&folds);
	buf_free(&retracts);
}

static void aggregates(struct sheet *sheet) {
	sheet_section(sheet, "Aggregates");
	sheet_text(sheet,
		   "What stands in `measure`. What folds costs its bytes for "
		   "each key and period or pane, whatever the traffic; what "
		   "does not keeps the events of the window, up to "
		   "`max_entries`. Sliding windows keep events in any case; "
		   "what takes back spends the same on each event however "
		   "many the window has, the others go through all of them.");
	sheet_table(sheet,
		    "`aggregate, of nothing, folds, takes back, meaning");
	for (const struct aggregate *const *it = all_aggregates; *it; it++)
		aggregate(sheet, *it);
	sheet_end(sheet);
}

/*** functions ***/

static const char *letter_name(char letter) {
	static const struct {
		char letter;
		const char *name;
	} names[] = {
		{ 'b', "bool" },           { 'i', "int" },
		{ 'd', "double" },         { 's', "string" },
		{ 'D', "date" },           { 't', "timestamp" },
		{ 'u', "duration" },       { 'm', "money" },
		{ 'l', "list" },           { 'M', "map" },
		{ 'n', "number" },         { 'N', "number|money" },
		{ 'T', "date|timestamp" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].letter == letter)
			return names[i].name;
	return "any";
}

/* "string.indexOf(string, int): int" */
static void put_signature(struct buf *out, const struct builtin *it) {
	const char *arg = it->args;
	const char *comma = "";

	if (it->flags & FN_METHOD)
		buf_printf(out, "%s.", letter_name(*arg++));
	buf_printf(out, "%s(", it->name);
	for (; *arg; arg++) {
		if (*arg == '*')
			buf_puts(out, ", …");
		else
			buf_printf(out, "%s%s", comma, letter_name(*arg));
		comma = ", ";
	}
	buf_printf(out, "): %s",
		   it->ret == '1'   ? letter_name(*it->args)
		   : it->ret == 'e' ? "item"
				    : letter_name(it->ret));
}

static void function(void *context, const struct builtin *first) {
	struct sheet *sheet = context;
	struct buf signature = { 0 };

	for (const struct builtin *it = first; it; it = builtin_next(it)) {
		if (signature.len)
			buf_puts(&signature, "; ");
		put_signature(&signature, it);
	}
	sheet_row(sheet, buf_cstr(&signature), first->example, first->help);
	buf_free(&signature);
}

/* "list.all(x, e)", "list.all(i, x, e)" */
static void macro(struct sheet *sheet, size_t *at) {
	const struct macro *first = &macros[*at];
	struct buf signature = { 0 };

	do {
		const struct macro *it = &macros[(*at)++];

		buf_printf(&signature, "%slist.%s(%s, %se)",
			   it == first ? "" : "; ", it->name,
			   it->two ? "i, x" : "x",
			   it->n - it->two == 3u - it->two &&
					   it->each >= EACH_MAP
				   ? "condition, "
				   : "");
	} while (*at < n_macros && !macros[*at].help);
	sheet_row(sheet, buf_cstr(&signature), first->example, first->help);
	buf_free(&signature);
}

static void functions(struct sheet *sheet) {
	sheet_section(sheet, "Functions");
	sheet_text(sheet,
		   "Expressions are CEL. Each example is true. Tables are "
		   "functions too, and `x in lists.name` asks a list.");
	sheet_table(sheet, "`function, `example, meaning");
	for (size_t i = 0; i < n_forms; i++) {
		struct buf name = { 0 };

		buf_printf(&name, "%s(x%s)", forms[i].name, i ? ", other" : "");
		sheet_row(sheet, buf_cstr(&name), forms[i].example,
			  forms[i].help);
		buf_free(&name);
	}
	builtins_each(function, sheet);
	for (size_t i = 0; i < n_macros;)
		macro(sheet, &i);
	sheet_end(sheet);
}

/*** the others ***/

static void codes(struct sheet *sheet) {
	sheet_section(sheet, "Complaints");
	sheet_text(sheet, "E stands for an error, W for a warning.");
	sheet_table(sheet, "`code, cure, meaning");
	for (size_t i = 0; i < diag_n_codes; i++)
		sheet_row(sheet, diag_codes[i].code, diag_codes[i].cure,
			  diag_codes[i].sentence);
	sheet_end(sheet);
}

static void metric(void *context, const struct report_family *family) {
	sheet_row(context, family->name,
		  family->kind == METRIC_COUNTER ? "counter" : "gauge",
		  family->labels, family->help);
}

static void metrics(struct sheet *sheet) {
	sheet_section(sheet, "Metrics");
	sheet_table(sheet, "`metric, type, labels, meaning");
	report_families(metric, sheet);
	sheet_end(sheet);
}

static void option(void *context, const struct config_key *key) {
	sheet_row(context, key->name, key->value, key->initial, key->range,
		  key->help);
}

static void configuration(struct sheet *sheet) {
	sheet_section(sheet, "Configuration");
	sheet_text(sheet,
		   "Options of tocsin.yaml; `kafka.brokers` is `brokers` below "
		   "`kafka`. A relative path begins at the file's folder.");
	sheet_table(sheet, "`key, `value, default, range, meaning");
	config_each(option, sheet);
	sheet_end(sheet);
}

static void exits(struct sheet *sheet, const struct usage_exit *it) {
	sheet_table(sheet, "`code, meaning");
	for (; it->meaning; it++) {
		char code[16];

		snprintf(code, sizeof(code), "%d", it->code);
		sheet_row(sheet, code, it->meaning);
	}
	sheet_end(sheet);
}

static void everything(struct sheet *sheet) {
	shapes(sheet);
	aggregates(sheet);
	functions(sheet);
	codes(sheet);
	configuration(sheet);
	metrics(sheet);
	sheet_section(sheet, "Exit codes of tocsind");
	exits(sheet, daemon_exits);
	sheet_section(sheet, "Exit codes of tocsin");
	exits(sheet, tool_exits);
}

static void markdown(struct buf *out) {
	struct sheet sheet = { .out = out };

	buf_puts(out, "# Reference\n\nPrinted by `tocsin reference` from the "
		      "tables that the programs themselves use. What\nthe "
		      "words of rules mean exactly stands in SEMANTICS.md.\n");
	everything(&sheet);
}

/*** man pages ***/

static void man_head(struct sheet *sheet, const char *name, const char *section,
		     const char *what) {
	buf_puts(sheet->out, ".Dd $Mdocdate$\n.Dt ");
	for (const char *s = name; *s; s++)
		buf_putc(sheet->out, (char)toupper((unsigned char)*s));
	buf_printf(sheet->out, " %s\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n", section,
		   name, what);
}

static void man_see(struct sheet *sheet, const char *others) {
	buf_puts(sheet->out, ".Sh SEE ALSO\n");
	buf_puts(sheet->out, others);
}

static void man_flag(void *context, const struct flag *flag) {
	struct buf *out = context;

	buf_puts(out, ".It ");
	if (flag->letter)
		buf_printf(out, "Fl %c , ", flag->letter);
	buf_printf(out, "Fl -%s", flag->name);
	if (flag->value)
		buf_printf(out, " Ar \"%s\"", flag->value);
	buf_printf(out, "\n%s\n", flag->help);
}

static void count_flag(void *context, const struct flag *flag) {
	(void)flag;
	++*(size_t *)context;
}

static void man_verb(struct sheet *sheet, const struct verb *verb) {
	struct buf *out = sheet->out;
	size_t n = 0;

	buf_printf(out, ".Ss \"%s\"\n.Nm\n.Cm \"%s\"\n.Op Ar option ...\n",
		   verb->name, verb->name);
	if (*verb->arguments)
		buf_printf(out, ".Ar \"%s\"\n", verb->arguments);
	buf_printf(out, ".Pp\n");
	sheet_text(sheet, verb->summary);
	flags_each(verb, count_flag, &n);
	if (n) {
		buf_puts(out, ".Bl -tag -width indent\n");
		flags_each(verb, man_flag, out);
		buf_puts(out, ".El\n");
	}
	buf_puts(out, ".Pp\nFor example:\n.Bd -literal -offset indent\n");
	for (const char *s = verb->example; *s; s++) {
		if (*s == '\\')
			buf_putc(out, '\\');
		buf_puts(out, *s == '\\' ? "e" : (char[]){ *s, '\0' });
	}
	buf_puts(out, "\n.Ed\n");
}

static void man_tocsin(struct buf *out) {
	struct sheet sheet = { .out = out, .man = true };

	man_head(&sheet, "tocsin", "1", "write rules and read alerts");
	buf_puts(out, ".Sh SYNOPSIS\n.Nm\n.Ar verb\n.Op Ar option ...\n"
		      ".Op Ar argument ...\n.Sh DESCRIPTION\n.Nm\n"
		      "is the tool of those who write the rules of\n"
		      ".Xr tocsind 8\nand read its alerts.\n");
	for (const struct verb *const *it = verbs; *it; it++)
		man_verb(&sheet, *it);
	sheet_section(&sheet, "Exit status");
	exits(&sheet, tool_exits);
	man_see(&sheet, ".Xr tocsin-rules 5 ,\n.Xr tocsin.yaml 5 ,\n"
			".Xr tocsind 8\n");
}

static void man_tocsind(struct buf *out) {
	struct sheet sheet = { .out = out, .man = true };

	man_head(&sheet, "tocsind", "8",
		 "early warnings over streams of public money");
	buf_puts(out, ".Sh SYNOPSIS\n.Nm\n.Fl c Ar FILE\n.Op Fl n\n.Op Fl v\n"
		      ".Sh DESCRIPTION\n.Nm\n"
		      "watches the events of Kafka topics by rules and puts "
		      "alerts into Redis.\n"
		      "It runs in the foreground and logs to standard error;\n"
		      ".Dv SIGHUP\nhas it read its rules, tables and lists "
		      "again,\n.Dv SIGTERM\nor\n.Dv SIGINT\nends it.\n"
		      ".Bl -tag -width indent\n");
	for (const struct usage_option *it = daemon_options; it->name; it++) {
		buf_printf(out, ".It Fl %s", it->name + 1);
		if (it->value)
			buf_printf(out, " Ar %s", it->value);
		buf_putc(out, '\n');
		sheet_text(&sheet, it->help);
	}
	buf_puts(out, ".El\n");
	metrics(&sheet);
	sheet_section(&sheet, "Exit status");
	exits(&sheet, daemon_exits);
	man_see(&sheet, ".Xr tocsin 1 ,\n.Xr tocsin-rules 5 ,\n"
			".Xr tocsin.yaml 5\n");
}

static void man_yaml(struct buf *out) {
	struct sheet sheet = { .out = out, .man = true };

	man_head(&sheet, "tocsin.yaml", "5", "configuration of tocsind");
	buf_puts(out, ".Sh DESCRIPTION\nThis file says where\n.Xr tocsind 8\n"
		      "finds Kafka, Redis, its rules and its state.\n"
		      "A key that is not known is an error with its line;\n"
		      ".Nm tocsind Fl n Fl c Ar FILE\nchecks it.\n");
	configuration(&sheet);
	man_see(&sheet, ".Xr tocsin 1 ,\n.Xr tocsin-rules 5 ,\n"
			".Xr tocsind 8\n");
}

static void man_rules(struct buf *out) {
	struct sheet sheet = { .out = out, .man = true };

	man_head(&sheet, "tocsin-rules", "5", "what to watch for");
	buf_puts(out, ".Sh DESCRIPTION\nRules are YAML files;\n"
		      ".Nm tocsin Cm check\nsays what is wrong with them,\n"
		      ".Nm tocsin Cm test\nruns the tests beside them.\n");
	shapes(&sheet);
	aggregates(&sheet);
	functions(&sheet);
	codes(&sheet);
	man_see(&sheet, ".Xr tocsin 1 ,\n.Xr tocsin.yaml 5 ,\n"
			".Xr tocsind 8\n");
}

/*** the verb ***/

static const struct {
	const char *name;
	void (*print)(struct buf *out);
} formats[] = {
	{ "markdown", markdown },      { "schema", schema_print },
	{ "tocsin.1", man_tocsin },    { "tocsind.8", man_tocsind },
	{ "tocsin.yaml.5", man_yaml }, { "tocsin-rules.5", man_rules },
	{ "bash", completion_bash },   { "zsh", completion_zsh },
};

static int explain(const char *word) {
	CLEANUP(buf_free) struct buf out = { 0 };
	struct sheet sheet = { .out = &out, .wanted = word };

	everything(&sheet);
	if (!out.len) {
		fprintf(stderr, "tocsin: nothing here is called `%s`\n", word);
		return FINDINGS;
	}
	fwrite(out.data, 1, out.len, stdout);
	return CLEAN;
}

static int print(const struct verb *verb, const char *format) {
	struct buf out = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (!strcmp(formats[i].name, format)) {
			formats[i].print(&out);
			fwrite(out.data, 1, out.len, stdout);
			buf_free(&out);
			return CLEAN;
		}
	return usage_error(verb, "there is no format `%s`", format);
}

static int reference(const struct verb *verb, int argc, char **argv) {
	CLEANUP(buf_free) struct buf names = { 0 };
	const char *format = formats[0].name;
	struct flag flag = { .letter = 'f',
			     .name = "format",
			     .help = "for people (markdown), editors, man or "
				     "shells",
			     .text = &format };
	int n;

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		buf_printf(&names, "%s%s", i ? "|" : "", formats[i].name);
	flag.value = buf_cstr(&names);
	n = flags_parse(verb, &flag, 1, argc, argv);
	if (n < 0)
		return -1 - n;
	if (n > 1)
		return usage_error(verb, "one word, please");
	return n ? explain(argv[0]) : print(verb, format);
}

const struct verb reference_verb = {
	.name = "reference",
	.summary = "Explains a key, function, code or metric, or prints them "
		   "all.",
	.arguments = "[WORD]",
	.example = "tocsin reference E203\n"
		   "tocsin reference --format tocsin-rules.5 | man -l -",
	.run = reference,
};
