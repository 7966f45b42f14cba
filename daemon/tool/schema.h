/*
 * Schema: the shapes of rule files as a JSON Schema (draft 2020-12), for
 * editors. It is as strict as the loader about keys; expressions and names are
 * the loader's alone.
 */
#pragma once

#include "base/buf.h"
#include "rule/shape.h"

/* All shapes; the first is the file's. */
extern const struct shape *const all_shapes[];
extern const size_t n_shapes;

void schema_print(struct buf *out);
