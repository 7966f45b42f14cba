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
	{ "E203", "An expression names something that is not there." },
	{ "E401", "A line of a holiday file has too few or too many fields." },
	{ "E402", "A date of a holiday file is not a date of 1900 to 2200." },
	{ "E403", "The kind of a day is neither `holiday` nor `workday`." },
	{ "E404", "A holiday file says two things of one day." },
};

const size_t diag_n_codes = ARRAY_SIZE(diag_codes);

const char *diag_explain(const char *code) {
	for (size_t i = 0; i < ARRAY_SIZE(diag_codes); i++)
		if (!strcmp(diag_codes[i].code, code))
			return diag_codes[i].sentence;
	return NULL;
}
