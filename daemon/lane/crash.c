#include "lane/crash.h"

#ifdef TOCSIN_CRASH_POINTS

#include "base/util.h"

#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All there are, so that tests/chaos can have the daemon die at each. */
static const char *const names[] = {
	/* the lane */
	"epoch-written",      /* and the sink knows nothing of it */
	"turn-noted",         /* in the journal, the engine has not acted */
	"turn-replayed",      /* noted once more */
	"replay-over",        /* the journal is about to be written on */
	"content-kept",       /* and nothing names it */
	"content-decided",    /* not yet on disk */
	"batch-sent",         /* perhaps in part */
	"batch-acknowledged", /* and nobody here knows it yet */
	"seam-begun",         /* a new journal without its decision */
	"seam-decided",       /* not yet on disk */
	/* the journal's thread */
	"segment-made",    /* its name is not on disk */
	"journal-written", /* not synced */
	"journal-synced",  /* nobody knows it */
	"journal-cut",     /* behind its end, at a start */
	/* the checkpoint's thread */
	"checkpoint-begun",    /* the lane goes on */
	"page-copied",         /* not yet written */
	"pages-written",       /* not synced */
	"pages-synced",        /* no manifest names them */
	"manifest-written",    /* under its first name */
	"manifest-renamed",    /* its folder is not synced */
	"checkpoint-written",  /* nobody knows it */
	"manifests-forgotten", /* their pages are there */
	"pages-swept",         /* the journal is not trimmed */
	/* the archive's thread */
	"archive-written", /* not synced */
	"archive-synced",  /* nobody knows it */
	/* the thread of what was sent */
	"sent-opened",  /* its name is not on disk, if it is new */
	"sent-written", /* not synced */
	"sent-synced",  /* nobody knows it */
	/* the sink has lost something */
	"resend-begun",        /* nothing has left yet */
	"resend-acknowledged", /* some of it, or all */
};

static bool is_known(const char *name) {
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

void crash_point(const char *name) {
	static _Atomic long reached;
	const char *plan = getenv("TOCSIN_CRASH");
	size_t len = strlen(name);

	assert(is_known(name));
	if (!plan || strncmp(plan, name, len) != 0 ||
	    (plan[len] != ':' && plan[len] != 0))
		return;
	if (atomic_fetch_add(&reached, 1) + 1 ==
	    (plan[len] ? strtol(plan + len + 1, NULL, 10) : 1))
		kill(getpid(), SIGKILL);
}

#endif
