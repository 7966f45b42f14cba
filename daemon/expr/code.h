/*
 * Code: the registers and instructions of a scalar program.
 *
 * An operand is two bits of bank and fourteen of index: the caller's frame, the
 * program's constants, the temporaries of this run. So a field is compared with
 * a constant by one instruction that copies nothing.
 */
#pragma once

#include "expr/term.h"

#define BANK_FRAME 0x0000
#define BANK_CONST 0x4000
#define BANK_TEMP 0x8000
#define BANK_SHIFT 14
#define BANK_MASK 0x3fff
#define CODE_MAX_TEMPS 64

/*
 * _I: int, bool, date, timestamp, duration and money are compared by i; _D by
 * d; _S are bytes; _N is an int beside a double.
 */
#define CODE_COMPARISONS(X, suffix)                                            \
	X(EQ##suffix)                                                          \
	X(NE##suffix)                                                          \
	X(LT##suffix)                                                          \
	X(LE##suffix)                                                          \
	X(GT##suffix)                                                          \
	X(GE##suffix)

/* The same order in each family: see fused_op() of code.c. */
#define CODE_FAMILY(X, suffix)                                                 \
	CODE_COMPARISONS(X, _I##suffix)                                        \
	CODE_COMPARISONS(X, _D##suffix)                                        \
	CODE_COMPARISONS(X, _S##suffix)                                        \
	CODE_COMPARISONS(X, _N##suffix)

/*
 * A chain of && begins with dst = true. Each clause that is false makes dst
 * false and jumps behind the chain; one that is missing makes dst missing, if
 * nothing before did; one that is true leaves all as it is. A comparison does
 * this by itself (_ALL), and the jump's target is in a word behind it; anything
 * else goes through ALL. ANY and _ANY are the same for ||.
 */
#define CODE_OPS(X)                                                            \
	X(RETURN)                                                              \
	X(MOVE)                                                                \
	X(JUMP)                                                                \
	X(FALSE_JUMP)   /* if a is false, jump to b */                         \
	X(MISSING_JUMP) /* dst = a; if missing, jump to b */                   \
	X(FOUND_JUMP)   /* dst = a; if not missing, jump to b */               \
	X(ALL)          /* a is a clause, b where to jump */                   \
	X(ANY)                                                                 \
	X(NOT)                                                                 \
	X(HAS)                                                                 \
	X(NEG_I)                                                               \
	X(NEG_D)                                                               \
	X(ADD_I)                                                               \
	X(SUB_I)                                                               \
	X(MUL_I)                                                               \
	X(DIV_I)                                                               \
	X(MOD_I)                                                               \
	X(ADD_D)                                                               \
	X(SUB_D)                                                               \
	X(MUL_D)                                                               \
	X(DIV_D)                                                               \
	X(RATIO) /* money by money, int by int */                              \
	X(RATIO_D)                                                             \
	X(MUL_M)  /* money by int or double */                                 \
	X(SCALE)  /* money by the decimal of site b */                         \
	X(BINARY) /* the walker's way, for what is rare; site b has it */      \
	CODE_FAMILY(X, )                                                       \
	CODE_FAMILY(X, _ALL)                                                   \
	CODE_FAMILY(X, _ANY)                                                   \
	X(IN_I)                                                                \
	X(IN_S)                                                                \
	X(IN)                                                                  \
	X(INDEX)                                                               \
	X(MATCH)                                                               \
	X(CALL)                                                                \
	X(ENV)

enum code_op {
#define X(name) CODE_##name,
	CODE_OPS(X)
#undef X
};

struct insn {
	uint16_t op;
	uint16_t dst; /* a temporary's index */
	uint16_t a;
	uint16_t b;
};

/* What an instruction has no room for. */
struct site {
	const struct builtin *builtin;
	const struct expr_call *call;
	const struct regex *regex;
	const struct zone *zone;
	uint32_t n; /* arguments that were written */
	enum term_op op;
	int64_t mantissa;
	uint16_t scale;
};
