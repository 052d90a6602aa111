/* SPDX-License-Identifier: BSD-2-Clause */

#include "mutants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

const char *
mutant_form(unsigned form)
{
	return (form == PORTABLE ? "portable" : "restartable");
}

/* 1 when it was not caught. */
static unsigned
is_alive(const struct mutant_row *mr, unsigned form,
    const char *(*walk)(unsigned id, unsigned form))
{
	const char *wrong = walk(mr->mr_id, form);

	print_message("%s%s%s: %s\n", mr->mr_text, form != 0 ? ", " : "",
	    form != 0 ? mutant_form(form) : "",
	    wrong != NULL ? wrong : "NOT CAUGHT");
	return (wrong == NULL);
}

void
mutants_are_caught(const struct mutant_row *rows, unsigned n,
    const char *(*walk)(unsigned id, unsigned form))
{
	const struct mutant_row *mr;
	unsigned alive = 0;

	for (mr = rows; mr < rows + n; mr++) {
		if (mr->mr_forms == 0)
			alive += is_alive(mr, 0, walk);
		for (unsigned form = PORTABLE; form <= SECTION; form <<= 1) {
			if ((mr->mr_forms & form) != 0)
				alive += is_alive(mr, form, walk);
		}
	}
	assert_int_equal(alive, 0);
}
