/*
 * Secret: what tocsin.yaml names and does not hold.
 *
 * A secret is {file: PATH} or {env: NAME}: not an argument, which everybody on
 * the machine can read, and not a line of a file that is shown around. It is
 * read here, shown nowhere and never cut: one that cannot be taken whole is
 * refused.
 */
#pragma once

#include "base/diag.h"
#include "rule/yaml.h"

#include <stdbool.h>

/* Whether the value of this property of librdkafka is one. */
bool secret_is_property(const char *name);
/*
 * The value of `@name`, in the arena; a relative path starts at @folder (""
 * for here). -EINVAL after a complaint.
 */
int secret_read(const char **ret, struct arena *arena, const char *folder,
		const char *name, const struct yaml_node *node,
		struct diag *diag);
/*
 * Keeps complaints about a file from quoting what stands behind a name that
 * sounds secret: whoever wrote one there is told so, the log is not.
 */
void secret_hide(struct diag *diag, const struct source *source);
