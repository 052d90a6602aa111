/* SPDX-License-Identifier: BSD-2-Clause */
#include "program.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sysexits.h>
#include <unistd.h>

#include "bench.h"

char *
program_dir(void)
{
	static const char *const links[] = {
		"/proc/self/exe",     /* Linux */
		"/proc/curproc/file", /* FreeBSD, where procfs is mounted */
	};
	char path[4096], *slash;

	for (size_t i = 0; i < nitems(links); i++) {
		ssize_t n = readlink(links[i], path, sizeof(path) - 1);

		if (n <= 0)
			continue;
		path[n] = '\0';
		slash = strrchr(path, '/');
		if (slash == NULL)
			continue;
		*slash = '\0';
		return (bench_strdup(path));
	}
	return (NULL);
}

int
program_become(const char *name, int argc, char *argv[])
{
	static const char *const folders[] = { ".", PMAPSIM_LIBEXEC_FROM_BIN };
	char *dir = program_dir(), *path;
	char **args = bench_calloc((size_t)argc + 2, sizeof(args[0]));

	/* What it says of itself is what the user has called. */
	args[0] = bench_strdup("pmapsim");
	for (int i = 0; i < argc; i++)
		args[i + 1] = argv[i];
	for (size_t i = 0; dir != NULL && i < nitems(folders); i++) {
		path = bench_asprintf("%s/%s/%s", dir, folders[i], name);
		(void)execv(path, args);
		if (errno != ENOENT && errno != ENOTDIR) {
			warn("%s", path);
			return (EX_UNAVAILABLE);
		}
		free(path);
	}
	warnx("%s: expected %s there or in %s",
	    dir != NULL ? dir : "(folder of the program)", name, folders[1]);
	free(args[0]);
	free(args);
	free(dir);
	return (EX_UNAVAILABLE);
}
