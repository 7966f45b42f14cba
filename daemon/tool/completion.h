/*
 * Completion: what a shell offers behind `tocsin` and `tocsind`: verbs, their
 * options, the words of an option that has few, else files where one is meant.
 */
#pragma once

#include "base/buf.h"

void completion_bash(struct buf *out);
void completion_zsh(struct buf *out);
