/*
 * Notify: tells systemd how the service fares ("READY=1", "STOPPING=1"), if
 * it was started by systemd.
 */
#pragma once

void notify(const char *state);
