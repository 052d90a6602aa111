/* SPDX-License-Identifier: BSD-2-Clause */
#include "presets.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "opt.h"

static int
no_such_preset(const char *name)
{
	char *all;
	size_t n = 0;

	if (strchr(name, '/') != NULL) {
		warnx("%s: %s", name, strerror(ENOENT));
		return (EX_NOINPUT);
	}
	while (preset_names[n] != NULL)
		n++;
	all = bench_join((char *const *)(uintptr_t)preset_names, n, ", ");
	warnx("%s: no such file, and no bundled preset has this name; those "
	      "are %s",
	    name, all);
	free(all);
	return (EX_NOINPUT);
}

int
presets_open(const char *name, struct preset *p)
{
	struct preset_error pe;
	int error;

	error = preset_open(name, p, &pe);
	if (error == 0)
		return (0);
	if (error == ENOENT)
		return (no_such_preset(name));
	if (error != EINVAL)
		warnx("%s: %s", name, strerror(error));
	else if (pe.pe_line != 0)
		warnx("%s:%u: %s", name, pe.pe_line, pe.pe_text);
	else
		warnx("%s: %s", name, pe.pe_text);
	return (bench_exit_status(error));
}

int
presets_set(struct preset *p, const char *option, const char *text)
{
	struct preset_error pe;
	char **list;
	size_t n;
	int error = 0;

	if (text == NULL)
		return (0);
	if (opt_list(text, &list, &n) != 0) {
		warnx("%s: \"%s\": expected key=value between commas", option,
		    text);
		return (EX_USAGE);
	}
	for (size_t i = 0; i < n && error == 0; i++)
		error = preset_set(p, list[i], option, &pe);
	free(list);
	if (error == 0)
		error = preset_check(p, &pe);
	if (error != 0) {
		warnx("%s: \"%s\": %s", option, text, pe.pe_text);
		return (EX_USAGE);
	}
	return (0);
}
