/*
 * Withheld: what an auditor asks for whom an alert's silence is a question.
 *
 * A daemon asks nothing, so all that it pays is a look at a pointer where a
 * counter goes up anyway.
 */
#include "engine/internal.h"

void withheld_tell(const struct engine *engine, const struct judging *j,
		   const struct withheld *what) {
	struct withheld whole = *what;

	whole.rule = j->rs->rule;
	whole.at = j->at;
	whole.key = j->key_values;
	whole.silent = engine->silent;
	engine->options.withheld(engine->options.withheld_context, &whole);
}
