/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The words of a script's line: numbers, addresses, names and rights.
 */

#include "workload/script_read.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

int
sr_complain(const struct script_reader *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(r->sr_err, r->sr_errsize, fmt, ap);
	va_end(ap);
	return (EINVAL);
}

/* The next word into r_word.  Returns false at the end of the line. */
bool
sr_next_word(struct script_reader *r)
{
	const char *p = r->sr_pos;
	size_t n = 0;

	while (isspace((unsigned char)*p))
		p++;
	while (*p != '\0' && *p != '#' && !isspace((unsigned char)*p)) {
		/* What is cut off is too long to be anything, and stays so. */
		if (n < SCRIPT_WORD_MAX - 1)
			r->sr_word[n++] = *p;
		p++;
	}
	r->sr_word[n] = '\0';
	r->sr_pos = p;
	return (n > 0);
}

/* The text as a number up to end; *endp is left behind it. */
bool
sr_read_number(const char *text, const char **endp, uint64_t *vp)
{
	unsigned base = 10, digit;
	const char *p = text;
	uint64_t v = 0;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
		base = 16;
		p += 2;
	}
	if (!isxdigit((unsigned char)*p))
		return (false);
	for (; isxdigit((unsigned char)*p); p++) {
		digit = isdigit((unsigned char)*p)
		    ? (unsigned)(*p - '0')
		    : (unsigned)(tolower((unsigned char)*p) - 'a') + 10;
		if (digit >= base || v > (UINT64_MAX - digit) / base)
			return (false);
		v = v * base + digit;
	}
	*endp = p;
	*vp = v;
	return (true);
}

static int
sr_number(const struct script_reader *r, const char *what, uint64_t *vp)
{
	const char *end;

	if (!sr_read_number(r->sr_word, &end, vp) || *end != '\0')
		return (sr_complain(r,
		    "%s \"%s\": expected a number, decimal or 0x hexadecimal",
		    what, r->sr_word));
	return (0);
}

/* A number from min to max, a multiple of align. */
int
sr_address(const struct script_reader *r, const char *what, uint64_t align,
    uint64_t min, uint64_t max, uint64_t *vp)
{
	int error = sr_number(r, what, vp);

	if (error != 0)
		return (error);
	if (*vp % align != 0)
		return (sr_complain(r, "%s %s: expected a multiple of %#jx",
		    what, r->sr_word, (uintmax_t)align));
	if (*vp < min || *vp > max)
		return (sr_complain(r, "%s %s: expected %#jx to %#jx", what,
		    r->sr_word, (uintmax_t)min, (uintmax_t)max));
	return (0);
}

int
sr_name(const struct script_reader *r, char name[SCRIPT_NAME_MAX + 1])
{
	size_t n = strlen(r->sr_word);

	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)r->sr_word[i]))
			return (sr_complain(r,
			    "map \"%s\": expected letters and digits",
			    r->sr_word));
	}
	if (n > SCRIPT_NAME_MAX)
		return (
		    sr_complain(r, "map \"%s\": expected at most %d characters",
			r->sr_word, SCRIPT_NAME_MAX));
	memcpy(name, r->sr_word, n + 1);
	return (0);
}

/* The word is one of two: *secondp says which. */
int
sr_choice(const struct script_reader *r, const char *first, const char *second,
    bool *secondp)
{
	*secondp = strcmp(r->sr_word, second) == 0;
	if (!*secondp && strcmp(r->sr_word, first) != 0)
		return (sr_complain(
		    r, "\"%s\": expected %s or %s", r->sr_word, first, second));
	return (0);
}

/* One of r, w, x. */
int
sr_access(const struct script_reader *r, const char *text, vm_prot_t *accessp)
{
	if (strcmp(text, "r") == 0)
		*accessp = VM_PROT_READ;
	else if (strcmp(text, "w") == 0)
		*accessp = VM_PROT_WRITE;
	else if (strcmp(text, "x") == 0)
		*accessp = VM_PROT_EXECUTE;
	else
		return (sr_complain(
		    r, "access \"%s\": expected one of r, w, x", text));
	return (0);
}

int
sr_prot(const struct script_reader *r, const char *text, bool none_ok,
    vm_prot_t *protp)
{
	static const char letters[] = "rwx";
	const char *p, *where;
	vm_prot_t prot = 0;

	if (none_ok && (strcmp(text, "none") == 0 || strcmp(text, "-") == 0)) {
		*protp = VM_PROT_NONE;
		return (0);
	}
	for (p = text; *p != '\0'; p++) {
		where = strchr(letters, *p);
		if (where == NULL || (prot >> (where - letters) & 1) != 0)
			break;
		prot |= (vm_prot_t)(1 << (where - letters));
	}
	if (*p != '\0' || prot == 0)
		return (sr_complain(r, "prot=%s: expected some of r, w, x%s",
		    text, none_ok ? ", or none" : ""));
	*protp = prot;
	return (0);
}
