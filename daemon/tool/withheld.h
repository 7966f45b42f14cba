/*
 * Withheld: what did not ring and why, a line for each rule, key and reason.
 *
 * Memory grows with the number of these lines, however often each verdict came
 * again.
 */
#pragma once

#include "tool/recompute.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct withheld_list;

/*
 * @rule (package/rule) and @key narrow it down, NULL does not. A key is what a
 * record shows: "U-03 / 30201", masked; or the key_ref of a masked part.
 */
struct withheld_list *withheld_list_new(const char *rule, const char *key);
void withheld_list_free(struct withheld_list *list);
/* Makes @what tell the list; its mask key must stand. */
void withheld_list_ask(struct withheld_list *list, struct recompute *what);
/* No journal so far was computed with a rule of that name. */
bool withheld_list_lacks_rule(const struct withheld_list *list);
/* A table, or @json a line each. */
void withheld_list_print(struct withheld_list *list, bool json, FILE *out);
/* Verdicts while seams took the past silently; they are in no line. */
uint64_t withheld_list_silent(const struct withheld_list *list);
