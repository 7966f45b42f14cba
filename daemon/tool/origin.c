#include "tool/origin.h"

#include <stdlib.h>

#include "base/util.h"
#include "lane/archive.h"
#include "lane/statedir.h"

struct origin *origin_list(const char *state, size_t *n) {
	uint32_t *archives = NULL, *journals = NULL;
	size_t n_archives = 0, n_journals = 0, a = 0, j = 0;
	struct origin *all;

	if (archive_list(state, &archives, &n_archives) < 0)
		n_archives = 0;
	if (statedir_begun(state, &journals, &n_journals) < 0)
		n_journals = 0;
	all = calloc(n_archives + n_journals + 1, sizeof(*all));
	if (!all)
		abort();
	for (*n = 0; a < n_archives || j < n_journals; ++*n) {
		uint32_t archive = a < n_archives ? archives[a] : 0;
		uint32_t journal = j < n_journals ? journals[j] : 0;
		struct origin *origin = &all[*n];

		origin->journal = archive > journal ? archive : journal;
		origin->is_archived = archive == origin->journal;
		origin->has_order = journal == origin->journal;
		a += origin->is_archived;
		j += origin->has_order;
	}
	free(archives);
	free(journals);
	return all;
}

/*
 * Whoever stopped keeping records may have an archive of the journal's
 * beginning: it is no use while Kafka has the whole, and better than nothing
 * when it has not.
 */
size_t origin_places(const struct origin *origin, const struct config *config,
		     bool from_log[2]) {
	bool keeps = config->archive == ARCHIVE_ALL;
	size_t n = 0;

	if (origin->has_order && (!keeps || !origin->is_archived))
		from_log[n++] = true;
	if (origin->is_archived)
		from_log[n++] = false;
	return n;
}

void origin_set(struct recompute *what, const struct origin *origin,
		const struct config *config, bool from_log) {
	what->state = config->state;
	what->journal = origin->journal;
	what->log = from_log ? config : NULL;
}

int origin_recompute(const struct origin *origin, const struct config *config,
		     struct recompute *what, struct buf *why) {
	bool from_log[2];
	size_t n = origin_places(origin, config, from_log);
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_free) struct buf own = { 0 };

		origin_set(what, origin, config, from_log[i]);
		r = recompute(what, &own);
		if (r < 0)
			buf_printf(why, "%s%s", why->len ? "; " : "",
				   buf_cstr(&own));
		if (r == 0 || what->inputs)
			break;
	}
	return r;
}
