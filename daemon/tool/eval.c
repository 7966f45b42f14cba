#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "expr/expr.h"
#include "tool/verb.h"

static int evaluate(const char *text, const char *given) {
	CLEANUP(buf_free) struct buf out = { 0 };
	CLEANUP(diag_free) struct diag diag = { 0 };
	CLEANUP(buf_free) struct buf complaints = { 0 };
	int r;

	r = expr_eval_text(text, strlen(text), given, given ? strlen(given) : 0,
			   &out, &diag);
	diag_sort(&diag);
	diag_print(&diag, &complaints, isatty(STDERR_FILENO) == 1);
	fputs(buf_cstr(&complaints), stderr);
	if (r < 0)
		return FINDINGS;
	puts(buf_cstr(&out));
	return r ? FINDINGS : CLEAN;
}

static int eval(const struct verb *verb, int argc, char **argv) {
	const char *given = NULL;
	const struct flag flags[] = {
		{ 'g', "given", "JSON", "an object; its members are the names",
		  NULL, &given, NULL },
	};
	int n = flags_parse(verb, flags, ARRAY_SIZE(flags), argc, argv);

	if (n < 0)
		return -1 - n;
	if (n != 1)
		return usage_error(verb, "one expression, please; quote it");
	return evaluate(argv[0], given);
}

const struct verb eval_verb = {
	.name = "eval",
	.summary = "Prints the value of an expression and its type.",
	.arguments = "EXPRESSION",
	.example = "tocsin eval 'ratio(total, usual) - 1.0' "
		   "--given '{\"total\": 320000.0, \"usual\": 100000.0}'",
	.run = eval,
};
