/*
 * Any bytes as a rule file: a tree or complaints, in bounded time and memory.
 * What is written from a tree without complaints reads back, written the same.
 */
#include "rule/yaml.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse(struct yaml_node **ret, struct arena *arena, struct diag *diag,
		 const char *text, size_t len) {
	return yaml_parse(ret, arena,
			  diag_source_text(diag, "fuzz.yaml", text, len), diag);
}

static void check_written(struct arena *arena, const struct yaml_node *tree) {
	struct buf once = { 0 }, twice = { 0 };
	struct yaml_node *again = NULL;
	struct diag diag = { 0 };

	/* Aliases are written in full: a bomb would fill the disk. */
	if (tree->weight < 10000) {
		yaml_write(&once, tree, 0);
		if (parse(&again, arena, &diag, once.data, once.len) == 0 &&
		    again) {
			yaml_write(&twice, again, 0);
			assert(once.len == twice.len);
			assert(!memcmp(once.data, twice.data, once.len));
		}
	}
	buf_free(&once);
	buf_free(&twice);
	diag_free(&diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct yaml_node *first = NULL;
	struct arena arena = { 0 };
	struct diag diag = { 0 };
	struct buf said = { 0 };
	int r;

	r = parse(&first, &arena, &diag, (const char *)data, size);
	assert(r == 0 || diag.n_errors > 0);
	if (r == 0 && first)
		check_written(&arena, first);
	diag_print(&diag, &said, false);
	buf_free(&said);
	diag_free(&diag);
	arena_free(&arena);
	return 0;
}
