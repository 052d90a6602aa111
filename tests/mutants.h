/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_MUTANTS_H
#define TESTS_MUTANTS_H

/*
 * Mutants: a walk over a protocol is tested by breaking one line of the protocol at
 * a time.  A test lists them once, in MUTANTS(X) with X(name, forms, text), and
 * has from that
 *
 *	enum mutant { CORRECT, MUTANTS(MUTANT_NAME) NMUTANTS };
 *	static const struct mutant_row rows[] = { MUTANTS(MUTANT_ROW) };
 *
 * A protocol may come in two forms; a lock's are those of its release.  Of one that
 * does not, MUTANTS(X) has X(name, text), for MUTANT_PLAIN and MUTANT_PLAIN_ROW.
 */

#define PORTABLE 0x1u /* caught in the portable form */
#define SECTION  0x2u /* caught in the restartable form */
#define BOTH     (PORTABLE | SECTION)

struct mutant_row {
	unsigned mr_id;
	unsigned mr_forms; /* that it is walked in; 0: there are none */
	const char *mr_text;
};

#define MUTANT_NAME(name, forms, text) name,
#define MUTANT_ROW(name, forms, text)  { name, forms, text },
#define MUTANT_PLAIN(name, text)       name,
#define MUTANT_PLAIN_ROW(name, text)   { name, 0, text },

/*
 * Each row in each of its forms, or in form 0: walk returns what it found wrong, or
 * NULL.  Prints all of it, and fails if one was not caught.
 */
void mutants_are_caught(const struct mutant_row *rows, unsigned n,
    const char *(*walk)(unsigned id, unsigned form));

/* What a form is called. */
const char *mutant_form(unsigned form);

#endif /* TESTS_MUTANTS_H */
