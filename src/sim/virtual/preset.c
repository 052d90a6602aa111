/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading and writing presets.
 *
 * A line is read into a value and a source before anything is set, so that an
 * error leaves no half of it.  The text is untrusted and not a C string: nothing
 * looks past l_end, and what an error quotes of it is printable.
 */

#include "sim/virtual/preset.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE "source:"

const struct preset_field preset_fields[NPRESET_FIELDS] = {
#define X(field, key, unit, min, max, help) { key, unit, min, max, help },
	PRESET_FIELDS(X)
#undef X
};

/* What is left of a line. */
struct line {
	const char *l_p;
	const char *l_end;
	unsigned l_number;
};

static int fail(struct preset_error *pe, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
fail(struct preset_error *pe, unsigned line, const char *fmt, ...)
{
	va_list ap;

	pe->pe_line = line;
	va_start(ap, fmt);
	(void)vsnprintf(pe->pe_text, sizeof(pe->pe_text), fmt, ap);
	va_end(ap);
	return (EINVAL);
}

/* n bytes of text, at most size - 1, fit for a terminal. */
static const char *
printable(char *buf, size_t size, const char *text, size_t n)
{
	if (n > size - 1)
		n = size - 1;
	for (size_t i = 0; i < n; i++) {
		buf[i] = text[i];
		if (buf[i] < ' ' || buf[i] > '~')
			buf[i] = '?';
	}
	buf[n] = '\0';
	return (buf);
}

static int
expected(struct preset_error *pe, const struct line *l, const char *what)
{
	char found[33];

	if (l->l_p == l->l_end) {
		return (fail(pe, l->l_number,
		    "expected %s, found the end of the line", what));
	}
	return (fail(pe, l->l_number, "expected %s, found \"%s\"", what,
	    printable(
		found, sizeof(found), l->l_p, (size_t)(l->l_end - l->l_p))));
}

static bool
is_blank(char c)
{
	return (c == ' ' || c == '\t' || c == '\r');
}

static bool
is_digit(char c)
{
	return (c >= '0' && c <= '9');
}

static void
skip_blanks(struct line *l)
{
	while (l->l_p < l->l_end && is_blank(*l->l_p))
		l->l_p++;
}

static bool
take(struct line *l, char c)
{
	if (l->l_p == l->l_end || *l->l_p != c)
		return (false);
	l->l_p++;
	return (true);
}

unsigned
preset_find(const char *key, size_t len)
{
	unsigned i;

	for (i = 0; i < NPRESET_FIELDS; i++) {
		if (strlen(preset_fields[i].pf_key) == len &&
		    memcmp(preset_fields[i].pf_key, key, len) == 0)
			break;
	}
	return (i);
}

/* The fields of struct preset are the first things in it, in this order. */
#define X(field, key, unit, min, max, help)                                    \
	_Static_assert(offsetof(struct preset, field) ==                       \
		PRESET_##field * sizeof(uint64_t),                             \
	    "preset_value() counts fields");
PRESET_FIELDS(X)
#undef X

static uint64_t *
field_of(struct preset *p, unsigned i)
{
	return ((uint64_t *)p + i);
}

uint64_t
preset_value(const struct preset *p, unsigned i)
{
	return (((const uint64_t *)p)[i]);
}

void
preset_put(struct preset *p, unsigned i, uint64_t value, const char *source)
{
	*field_of(p, i) = value;
	(void)printable(
	    p->pr_source[i], PRESET_SOURCE_MAX, source, strlen(source));
}

static const char *
format_value(enum preset_unit unit, uint64_t v, char buf[PRESET_TEXT_MAX])
{
	char *end;

	if (unit == PRESET_COUNT) {
		(void)snprintf(buf, PRESET_TEXT_MAX, "%" PRIu64, v);
		return (buf);
	}
	(void)snprintf(
	    buf, PRESET_TEXT_MAX, "%" PRIu64 ".%03" PRIu64, v / 1000, v % 1000);
	end = buf + strlen(buf);
	while (end[-1] == '0')
		*--end = '\0';
	if (end[-1] == '.')
		end[-1] = '\0';
	return (buf);
}

const char *
preset_format(const struct preset *p, unsigned i, char buf[PRESET_TEXT_MAX])
{
	return (
	    format_value(preset_fields[i].pf_unit, preset_value(p, i), buf));
}

/* A number in the unit of a field, within its range. */
static int
take_value(
    struct line *l, unsigned field, uint64_t *valuep, struct preset_error *pe)
{
	const struct preset_field *pf = &preset_fields[field];
	unsigned decimals = pf->pf_unit == PRESET_COUNT ? 0 : 3;
	char min[PRESET_TEXT_MAX], max[PRESET_TEXT_MAX], what[120];
	struct line number = *l;
	uint64_t v = 0;
	bool good;

	good = number.l_p < number.l_end && is_digit(*number.l_p);
	/* No field has more than 16 digits. */
	for (; number.l_p < number.l_end && is_digit(*number.l_p); number.l_p++)
		v = v > UINT64_MAX / 100000
		    ? v
		    : v * 10 + (uint64_t)(*number.l_p - '0');
	if (decimals != 0) {
		bool point = take(&number, '.');

		for (unsigned i = 0; i < decimals; i++) {
			v *= 10;
			if (point && number.l_p < number.l_end &&
			    is_digit(*number.l_p))
				v += (uint64_t)(*number.l_p++ - '0');
		}
		good = good && (!point || is_digit(number.l_p[-1]));
	}
	good = good &&
	    (number.l_p == number.l_end || is_blank(*number.l_p) ||
		*number.l_p == '#');
	if (!good || v < pf->pf_min || v > pf->pf_max) {
		(void)snprintf(what, sizeof(what), "%s from %s to %s%s",
		    pf->pf_key, format_value(pf->pf_unit, pf->pf_min, min),
		    format_value(pf->pf_unit, pf->pf_max, max),
		    pf->pf_unit == PRESET_NS ? " nanoseconds" : "");
		return (expected(pe, l, what));
	}
	*l = number;
	*valuep = v;
	return (0);
}

/* "key = value" up to what follows the value. */
static int
take_setting(
    struct line *l, unsigned *fieldp, uint64_t *valuep, struct preset_error *pe)
{
	struct line key = *l;
	unsigned field;
	char what[80];

	while (l->l_p < l->l_end && *l->l_p != '=' && *l->l_p != '#' &&
	    !is_blank(*l->l_p))
		l->l_p++;
	field = preset_find(key.l_p, (size_t)(l->l_p - key.l_p));
	if (field == NPRESET_FIELDS) {
		return (expected(
		    pe, &key, "the name of a number, such as line_remote"));
	}
	skip_blanks(l);
	if (!take(l, '=')) {
		(void)snprintf(what, sizeof(what), "\"=\" after %s",
		    preset_fields[field].pf_key);
		return (expected(pe, l, what));
	}
	skip_blanks(l);
	*fieldp = field;
	return (take_value(l, field, valuep, pe));
}

static int
take_source(
    struct line *l, char source[PRESET_SOURCE_MAX], struct preset_error *pe)
{
	size_t n = strlen(SOURCE);

	skip_blanks(l);
	if (!take(l, '#'))
		return (expected(pe, l, "\"# source: ...\" after the number"));
	skip_blanks(l);
	if ((size_t)(l->l_end - l->l_p) < n || memcmp(l->l_p, SOURCE, n) != 0)
		return (expected(pe, l, "\"source: ...\" after the number"));
	l->l_p += n;
	skip_blanks(l);
	if (l->l_p == l->l_end)
		return (expected(pe, l, "where the number comes from"));
	if (l->l_end - l->l_p >= PRESET_SOURCE_MAX) {
		return (fail(pe, l->l_number,
		    "the source has more than %d "
		    "characters",
		    PRESET_SOURCE_MAX - 1));
	}
	(void)printable(
	    source, PRESET_SOURCE_MAX, l->l_p, (size_t)(l->l_end - l->l_p));
	return (0);
}

static int
parse_line(struct line *l, struct preset *p, unsigned set_at[NPRESET_FIELDS],
    struct preset_error *pe)
{
	char source[PRESET_SOURCE_MAX];
	uint64_t value = 0;
	unsigned field = 0;
	int error;

	skip_blanks(l);
	while (l->l_end > l->l_p && is_blank(l->l_end[-1]))
		l->l_end--;
	if (l->l_p == l->l_end)
		return (0);
	if (take(l, '#')) {
		skip_blanks(l);
		if (p->pr_title[0] == '\0') {
			(void)printable(p->pr_title, sizeof(p->pr_title),
			    l->l_p, (size_t)(l->l_end - l->l_p));
		}
		return (0);
	}
	error = take_setting(l, &field, &value, pe);
	if (error == 0)
		error = take_source(l, source, pe);
	if (error != 0)
		return (error);
	if (set_at[field] != 0) {
		return (fail(pe, l->l_number, "%s was given in line %u",
		    preset_fields[field].pf_key, set_at[field]));
	}
	set_at[field] = l->l_number;
	preset_put(p, field, value, source);
	return (0);
}

/* "dir/name.preset" is called name. */
static void
name_from(const char *path, char name[PRESET_NAME_MAX])
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	const char *dot = strrchr(base, '.');
	size_t len =
	    dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base);

	(void)printable(name, PRESET_NAME_MAX, base, len);
}

int
preset_parse(const char *name, const char *text, size_t len, struct preset *p,
    struct preset_error *pe)
{
	unsigned set_at[NPRESET_FIELDS] = { 0 };
	struct line l = { .l_end = text };
	struct preset new;
	const char *end = text + len;
	int error;

	memset(&new, 0, sizeof(new));
	name_from(name, new.pr_name);
	for (const char *next = text; next < end;) {
		const char *eol = memchr(next, '\n', (size_t)(end - next));

		l.l_p = next;
		l.l_end = eol != NULL ? eol : end;
		l.l_number++;
		next = eol != NULL ? eol + 1 : end;
		error = parse_line(&l, &new, set_at, pe);
		if (error != 0)
			return (error);
	}
	for (unsigned i = 0; i < NPRESET_FIELDS; i++) {
		if (set_at[i] == 0) {
			return (fail(pe, 0,
			    "expected a line \"%s = NUMBER # source: ...\"",
			    preset_fields[i].pf_key));
		}
	}
	error = preset_check(&new, pe);
	if (error == 0)
		*p = new;
	return (error);
}

int
preset_set(struct preset *p, const char *text, const char *source,
    struct preset_error *pe)
{
	struct line l = { .l_p = text, .l_end = text + strlen(text) };
	uint64_t value = 0;
	unsigned field = 0;
	int error;

	error = take_setting(&l, &field, &value, pe);
	if (error == 0 && l.l_p != l.l_end)
		error = expected(pe, &l, "nothing after the number");
	if (error == 0)
		preset_put(p, field, value, source);
	return (error);
}

const struct preset_rule preset_rules[] = {
#define RULE(less, more)                                                       \
	{                                                                      \
		PRESET_pr_##less, PRESET_pr_##more                             \
	}
	RULE(l1_hit_ps, l2_hit_ps),
	RULE(l2_hit_ps, llc_hit_ps),
	RULE(llc_hit_ps, dram_local_ps),
	RULE(dram_local_ps, dram_remote_ps),
	RULE(line_smt_ps, line_cluster_ps),
	RULE(line_cluster_ps, line_socket_ps),
	RULE(line_socket_ps, line_remote_ps),
	RULE(page_clear_ps, page_copy_ps),
	RULE(wake_remote_ps, wake_deep_ps),
	RULE(ipi_same_ps, ipi_remote_ps),
	RULE(l1_lines, l2_lines),
	RULE(l2_lines, llc_lines),
#undef RULE
};
const size_t preset_nrules = sizeof(preset_rules) / sizeof(preset_rules[0]);

int
preset_check(const struct preset *p, struct preset_error *pe)
{
	char less[PRESET_TEXT_MAX], more[PRESET_TEXT_MAX];

	for (size_t i = 0; i < preset_nrules; i++) {
		unsigned a = preset_rules[i].pr_less;
		unsigned b = preset_rules[i].pr_more;

		if (preset_value(p, a) > preset_value(p, b)) {
			return (fail(pe, 0,
			    "expected %s <= %s, found %s and %s",
			    preset_fields[a].pf_key, preset_fields[b].pf_key,
			    preset_format(p, a, less),
			    preset_format(p, b, more)));
		}
	}
	return (0);
}

/* An unlimited string. */
struct text {
	char *t_text;
	size_t t_len;
};

static int
add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int
add(struct text *t, const char *fmt, ...)
{
	char line[512];
	char *grown;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	n = strlen(line);
	grown = realloc(t->t_text, t->t_len + n + 1);
	if (grown == NULL) {
		free(t->t_text);
		t->t_text = NULL;
		return (ENOMEM);
	}
	memcpy(grown + t->t_len, line, n + 1);
	t->t_text = grown;
	t->t_len += n;
	return (0);
}

char *
preset_write(const struct preset *p, size_t *lenp)
{
	struct text t = { NULL, 0 };
	char value[PRESET_TEXT_MAX];
	int error;

	error = add(&t, "# %s\n#\n# Times in nanoseconds.\n\n",
	    p->pr_title[0] != '\0' ? p->pr_title : p->pr_name);
	for (unsigned i = 0; error == 0 && i < NPRESET_FIELDS; i++) {
		error =
		    add(&t, "%s = %s # source: %s\n", preset_fields[i].pf_key,
			preset_format(p, i, value), p->pr_source[i]);
	}
	if (error != 0)
		return (NULL);
	if (lenp != NULL)
		*lenp = t.t_len;
	return (t.t_text);
}
