/* SPDX-License-Identifier: BSD-2-Clause */
#include "program.h"

#include <string.h>
#include <sys/types.h>
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
