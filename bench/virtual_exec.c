/* SPDX-License-Identifier: BSD-2-Clause */
/* pmapsim: it becomes pmapsim-virtual. */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "bench.h"
#include "compare.h"
#include "program.h"
#include "virtual.h"

const bool virtual_here = false;

#define PROGRAM "pmapsim-virtual"

int
virtual_exec(int argc, char *argv[])
{
	static const char *const folders[] = { ".", PMAPSIM_LIBEXEC_FROM_BIN };
	char *dir = program_dir(), *path;
	char **args = bench_calloc((size_t)argc + 2, sizeof(args[0]));

	/* What it says of itself is what the user has called. */
	args[0] = bench_strdup("pmapsim");
	for (int i = 0; i < argc; i++)
		args[i + 1] = argv[i];
	for (size_t i = 0; dir != NULL && i < nitems(folders); i++) {
		path = bench_asprintf("%s/%s/" PROGRAM, dir, folders[i]);
		(void)execv(path, args);
		if (errno != ENOENT && errno != ENOTDIR) {
			warn("%s", path);
			return (EX_UNAVAILABLE);
		}
		free(path);
	}
	warnx("%s: expected " PROGRAM
	      " there or in %s, which virtual runs need",
	    dir != NULL ? dir : "(folder of the program)", folders[1]);
	free(args[0]);
	free(args);
	free(dir);
	return (EX_UNAVAILABLE);
}

/* virtual_exec() has not returned 0. */
int
compare_virtual_configure(struct compare *co)
{
	(void)co;
	return (EX_SOFTWARE);
}

int
compare_virtual(struct compare *co)
{
	(void)co;
	return (EX_SOFTWARE);
}
