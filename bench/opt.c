/* SPDX-License-Identifier: BSD-2-Clause */
#include "opt.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define HELP_COLUMN 22 /* where the text of an option starts */

int
opt_number(const char *text, uint64_t min, uint64_t max, uint64_t *valuep)
{
	uint64_t v = 0;

	if (*text == '\0')
		return (EINVAL);
	for (; *text != '\0'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (*text < '0' || *text > '9' || v > (UINT64_MAX - digit) / 10)
			return (EINVAL);
		v = v * 10 + digit;
	}
	if (v < min || v > max)
		return (EINVAL);
	*valuep = v;
	return (0);
}

int
opt_seconds(const char *text, uint64_t *nsp)
{
	char *end;
	double v;

	/* strtod() also reads hex, infinities and signs. */
	if (*text == '\0' || text[strspn(text, "0123456789.")] != '\0')
		return (EINVAL);
	v = strtod(text, &end);
	if (end == text || *end != '\0' || v < 0.001 || v > 86400)
		return (EINVAL);
	*nsp = (uint64_t)(v * 1e9 + 0.5);
	return (0);
}

int
opt_list(const char *text, char ***listp, size_t *np)
{
	size_t n = 1, i = 0, len = strlen(text);
	char **list, *copy;

	for (const char *s = text; *s != '\0'; s++)
		n += *s == ',';
	list = bench_calloc(1, (n + 1) * sizeof(list[0]) + len + 1);
	copy = (char *)&list[n + 1];
	memcpy(copy, text, len + 1);
	for (;;) {
		size_t part = strcspn(copy, ",");
		bool last = copy[part] == '\0';

		if (part == 0) {
			free(list);
			return (EINVAL);
		}
		copy[part] = '\0';
		list[i++] = copy;
		if (last)
			break;
		copy += part + 1;
	}
	*listp = list;
	*np = n;
	return (0);
}

static const struct opt *
opt_find(const struct opt *opts, const char *name, size_t len)
{
	for (; opts->o_name != NULL; opts++) {
		if (strlen(opts->o_name) == len &&
		    memcmp(opts->o_name, name, len) == 0)
			return (opts);
	}
	return (NULL);
}

static int
opt_set(const struct opt *o, const char *value, void *conf)
{
	void *p = (char *)conf + o->o_offset;
	uint64_t v;

	switch (o->o_type) {
	case OPT_FLAG:
		*(bool *)p = true;
		return (0);
	case OPT_STRING:
		*(const char **)p = value;
		return (0);
	case OPT_SECONDS:
		if (opt_seconds(value, p) == 0)
			return (0);
		warnx("--%s: \"%s\": expected seconds, from 0.001 to 86400",
		    o->o_name, value);
		return (EX_USAGE);
	case OPT_UNSIGNED:
	case OPT_U64:
		break;
	}
	if (opt_number(value, o->o_min, o->o_max, &v) != 0) {
		warnx("--%s: \"%s\": expected a number from %" PRIu64
		      " to %" PRIu64,
		    o->o_name, value, o->o_min, o->o_max);
		return (EX_USAGE);
	}
	if (o->o_type == OPT_U64)
		*(uint64_t *)p = v;
	else
		*(unsigned *)p = (unsigned)v;
	return (0);
}

int
opt_parse(
    const struct opt *opts, int argc, char *argv[], void *conf, int *restp)
{
	int i;

	for (i = 1; i < argc; i++) {
		const char *name = argv[i], *value;
		const struct opt *o;
		size_t len;
		int error;

		if (strcmp(name, "--") == 0) {
			i++;
			break;
		}
		/* "-" alone is the standard input. */
		if (name[0] != '-' || name[1] == '\0')
			break;
		len = strcspn(name, "=");
		o = strncmp(name, "--", 2) == 0
		    ? opt_find(opts, name + 2, len - 2)
		    : NULL;
		if (o == NULL) {
			warnx("%s: no option %.*s; see \"pmapsim %s --help\"",
			    argv[0], (int)len, name, argv[0]);
			return (EX_USAGE);
		}
		value = name[len] == '=' ? name + len + 1 : NULL;
		if (o->o_type == OPT_FLAG && value != NULL) {
			warnx("--%s takes no value", o->o_name);
			return (EX_USAGE);
		}
		if (o->o_type != OPT_FLAG && value == NULL) {
			if (i + 1 == argc) {
				warnx("--%s: expected a value, %s", o->o_name,
				    o->o_arg);
				return (EX_USAGE);
			}
			value = argv[++i];
		}
		error = opt_set(o, value, conf);
		if (error != 0)
			return (error);
	}
	*restp = i;
	return (0);
}

int
opt_parse_only(const struct opt *opts, int argc, char *argv[], void *conf)
{
	int error, rest;

	error = opt_parse(opts, argc, argv, conf, &rest);
	if (error != 0 || rest == argc)
		return (error);
	warnx("%s: \"%s\": expected options only", argv[0], argv[rest]);
	return (EX_USAGE);
}

static void
help_option(const char *name, const char *arg, const char *text, FILE *out)
{
	int n = fprintf(out, "  --%s%s%s", name, arg != NULL ? " " : "",
	    arg != NULL ? arg : "");

	if (n >= HELP_COLUMN) {
		(void)fputc('\n', out);
		n = 0;
	}
	for (;;) {
		size_t len = strcspn(text, "\n");

		(void)fprintf(
		    out, "%*s%.*s\n", HELP_COLUMN - n, "", (int)len, text);
		if (text[len] == '\0')
			break;
		text += len + 1;
		n = 0;
	}
}

void
opt_help(const struct command *c, FILE *out)
{
	(void)fprintf(out, "Usage: pmapsim %s%s%s\n\n%s\n", c->c_name,
	    c->c_args[0] != '\0' ? " " : "", c->c_args, c->c_descr);
	(void)fprintf(out, "Options:\n");
	for (const struct opt *o = c->c_opts; o->o_name != NULL; o++)
		help_option(o->o_name, o->o_arg, o->o_help, out);
	help_option("help", NULL, "this text", out);
	(void)fprintf(out, "\nExamples:\n%s", c->c_examples);
}
