/*
 * Given: JSON that people give by hand as values of CEL.
 *
 * Objects are maps; a number without fraction or exponent is an int if it fits
 * and a double else.
 */
#pragma once

#include "base/arena.h"
#include "tocsin/value.h"

/* 0 or what json_parse() says. */
int given_read(struct value *ret, struct arena *arena, const char *text,
	       size_t len);
/* The member @key of a map, or a missing value. */
struct value given_member(struct value map, const char *key);
