#include "base/diag.h"

#include <string.h>

#include "base/util.h"

/* Sorted by code; each stands once. The sentences go into the manual. */
const struct diag_code diag_codes[] = {
	{ "E101", "A key stands twice in one mapping." },
	{ "E102", "A file is not YAML." },
	{ "E103", "A file or folder cannot be read." },
	{ "E104", "YAML of another shape than was asked for." },
	{ "E105", "YAML read an unquoted expression as a tag." },
	{ "E106", "YAML cut an unquoted expression at a comma inside { }." },
	{ "E107", "YAML read an unquoted expression as an anchor or alias." },
	{ "E108", "YAML 1.1 tools read this key as a truth value." },
	{ "E109", "A file is too large, too deep or expands too far." },
	{ "E201", "An expression is not written as CEL is." },
	{ "E202",
	  "An expression is too long, too deep or has too many parts." },
	{ "E203", "An expression names something that is not there." },
	{ "E204", "An expression calls a function that does not exist." },
	{ "E205", "A function is given other arguments than it takes." },
	{ "E206", "An operator stands between types that do not go together." },
	{ "E207",
	  "Money meets another currency, a bare number or odd digits." },
	{ "E208", "A text is compared with an enum that does not allow it." },
	{ "E209", "An expression has another type than is asked for." },
	{ "E210", "Names stand for each other in a circle." },
	{ "E211", "A constant in an expression cannot be right." },
	{ "E212", "An expression counts business days without a calendar." },
	{ "E401", "A line of a holiday file has too few or too many fields." },
	{ "E402", "A date of a holiday file is not a date of 1900 to 2200." },
	{ "E403", "The kind of a day is neither `holiday` nor `workday`." },
	{ "E404", "A holiday file says two things of one day." },
	{ "W601", "Whole numbers are divided and leave a rest." },
	{ "W602", "One side of && or || decides alone." },
	{ "W603", "matches() is not anchored." },
	{ "W604", "Money is compared with what looks like a share." },
	{ "W605", "An optional field is used without has() or default()." },
};

const size_t diag_n_codes = ARRAY_SIZE(diag_codes);

const char *diag_explain(const char *code) {
	for (size_t i = 0; i < ARRAY_SIZE(diag_codes); i++)
		if (!strcmp(diag_codes[i].code, code))
			return diag_codes[i].sentence;
	return NULL;
}
