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
	{ "E110", "A map has a key that is not known there." },
	{ "E111", "Known, and not in this release." },
	{ "E112", "Something that is needed is not there." },
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
	{ "E231", "A name is declared twice." },
	{ "E232", "A name or a type that cannot be." },
	{ "E233", "One name would mean two things." },
	{ "E234", "Streams of one rule disagree on the type of a field." },
	{ "E235", "A name is known, but has no meaning where it stands." },
	{ "E236",
	  "A measure is not one aggregate with the arguments it takes." },
	{ "E237", "An aggregate cannot take a value of this type." },
	{ "E238", "A let is used before it is defined." },
	{ "E301", "A value is none of those that are possible." },
	{ "E302", "A number is out of range." },
	{ "E303", "Not a duration, or not one that fits here." },
	{ "E304", "Not a date." },
	{ "E305",
	  "Two things that exclude each other, or one without the other." },
	{ "E306", "A window does not keep what an aggregate needs." },
	{ "E307", "The state of one key of a rule would not fit a cell." },
	{ "E310", "The C library of this machine does not know an encoding." },
	{ "E401", "A line of a holiday file has too few or too many fields." },
	{ "E402", "A date of a holiday file is not a date of 1900 to 2200." },
	{ "E403", "The kind of a day is neither `holiday` nor `workday`." },
	{ "E404", "A holiday file says two things of one day." },
	{ "E412", "A table lacks its header or a column." },
	{ "E413",
	  "A row of a table has another number of columns than its header." },
	{ "E414", "A cell of a table is not of the type of its column." },
	{ "E415",
	  "Two rows of a table are valid for the same key on the same day." },
	{ "E416", "A key stands twice in a table." },
	{ "E417", "A quoted cell of a table is not closed." },
	{ "E501", "A test lacks its name." },
	{ "E502", "A test of a rule names something that is not there." },
	{ "E503", "A part of a test of a rule has the wrong form." },
	{ "W601", "Whole numbers are divided and leave a rest." },
	{ "W602", "One side of && or || decides alone." },
	{ "W603", "matches() is not anchored." },
	{ "W604", "Money is compared with what looks like a share." },
	{ "W605", "An optional field is used without has() or default()." },
	{ "W620",
	  "A condition, or a part of one, is always true or always false." },
	{ "W621", "A level is never reached." },
	{ "W622", "A macro, list, table or param is used by nothing." },
	{ "W623", "An exception has expired." },
	{ "W624", "A live rule lacks what its readers will ask for." },
	{ "W625", "One key of a rule can take much memory." },
	{ "W626", "A list has an item twice." },
	{ "W627", "A rule counts business days of a year without holidays." },
	{ "W699", "There are too many complaints to show." },
};

const size_t diag_n_codes = ARRAY_SIZE(diag_codes);

const char *diag_explain(const char *code) {
	for (size_t i = 0; i < ARRAY_SIZE(diag_codes); i++)
		if (!strcmp(diag_codes[i].code, code))
			return diag_codes[i].sentence;
	return NULL;
}
