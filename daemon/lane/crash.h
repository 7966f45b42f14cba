/*
 * Crash: moments at which a test may have the daemon die.
 *
 * A kill at a random moment seldom finds the few instructions between a rename
 * and the sync of its folder, so these have names. In an ordinary build they
 * are nothing; compiled with TOCSIN_CRASH_POINTS the process kills itself at
 * the one that the environment names: TOCSIN_CRASH="manifest-renamed:3" at the
 * third time that it is reached.
 */
#pragma once

#ifdef TOCSIN_CRASH_POINTS
/* @name: one of those in crash.c. */
void crash_point(const char *name);
#else
static inline void crash_point(const char *name) {
	(void)name;
}
#endif
