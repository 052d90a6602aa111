/* SPDX-License-Identifier: BSD-2-Clause */
#include "designs.h"

#include <err.h>
#include <stdlib.h>
#include <sysexits.h>

#include "opt.h"
#include "pmapsim/machine.h"

static int
check_design(const char *text, unsigned threads)
{
	char err[256] = "";
	struct design d;

	if (design_parse(text, NULL, &d, err, sizeof(err)) != 0) {
		warnx("--designs: %s", err);
		return (EX_USAGE);
	}
	if ((d.d_lock->plo_flags & PLO_NOLOCK) != 0 && threads > 1) {
		warnx("--designs: \"%s\" excludes nobody: expected --threads 1",
		    text);
		return (EX_USAGE);
	}
	return (0);
}

int
designs_read(const char *text, unsigned threads, char ***designsp, size_t *np)
{
	char **list;
	size_t n;
	int error;

	if (opt_list(text, &list, &n) != 0) {
		warnx(
		    "--designs: \"%s\": expected designs between commas", text);
		return (EX_USAGE);
	}
	for (size_t i = 0; i < n; i++) {
		error = check_design(list[i], threads);
		if (error != 0) {
			free(list);
			return (error);
		}
	}
	*designsp = list;
	*np = n;
	return (0);
}
