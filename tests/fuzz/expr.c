/*
 * Any text as an expression: a value, an error or complaints. Up to the first
 * NUL it is the expression, behind it the JSON that gives the names.
 */
#include "expr/expr.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	const char *text = (const char *)data;
	const char *nul = memchr(text, 0, size);
	size_t len = nul ? (size_t)(nul - text) : size;
	struct diag diag = { 0 };
	struct buf out = { 0 };

	expr_eval_text(text, len, nul ? nul + 1 : NULL,
		       nul ? size - len - 1 : 0, &out, &diag);
	buf_reset(&out);
	diag_print(&diag, &out, false);
	buf_free(&out);
	diag_free(&diag);
	return 0;
}
