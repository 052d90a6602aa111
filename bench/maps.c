/* SPDX-License-Identifier: BSD-2-Clause */
#include "maps.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "bench.h"
#include "program.h"

#define SUFFIX ".map"

/* Generated from memmaps/xeon-2s-48t-256g.map. */
extern const char maps_default_text[];
extern const size_t maps_default_len;

/* The i-th folder that may hold bundled maps, malloc()ed; NULL after the last. */
static char *
maps_dir(unsigned i)
{
	/* As pmapsim, and as one of the programs that it becomes. */
	static const char *const relative[] = { PMAPSIM_MAPS_FROM_BIN,
		PMAPSIM_MAPS_FROM_LIBEXEC };
	char *program, *dir;

	switch (i) {
	case 0:
	case 1:
		program = program_dir();
		if (program == NULL)
			return (bench_strdup(PMAPSIM_MAPS_INSTALLED));
		dir = bench_asprintf("%s/%s", program, relative[i]);
		free(program);
		return (dir);
	case 2:
		return (bench_strdup(PMAPSIM_MAPS_SOURCE));
	default:
		return (NULL);
	}
}

static bool
has_suffix(const char *s)
{
	size_t len = strlen(s);

	return (len > strlen(SUFFIX) &&
	    strcmp(s + len - strlen(SUFFIX), SUFFIX) == 0);
}

static int
compare_names(const void *a, const void *b)
{
	return (strcmp(*(char *const *)a, *(char *const *)b));
}

static void
add_name(char ***namesp, size_t *np, const char *file)
{
	char *name = bench_strdup(file);

	if (has_suffix(name))
		name[strlen(name) - strlen(SUFFIX)] = '\0';
	for (size_t i = 0; i < *np; i++) {
		if (strcmp((*namesp)[i], name) == 0) {
			free(name);
			return;
		}
	}
	*namesp = bench_reallocarray(*namesp, *np + 2, sizeof((*namesp)[0]));
	(*namesp)[(*np)++] = name;
	(*namesp)[*np] = NULL;
}

char **
maps_names(void)
{
	char **names = NULL, *dir;
	struct dirent *de;
	size_t n = 0;
	DIR *d;

	add_name(&names, &n, MAPS_DEFAULT);
	for (unsigned i = 0; (dir = maps_dir(i)) != NULL; i++) {
		d = opendir(dir);
		while (d != NULL && (de = readdir(d)) != NULL) {
			if (has_suffix(de->d_name))
				add_name(&names, &n, de->d_name);
		}
		if (d != NULL)
			(void)closedir(d);
		free(dir);
	}
	qsort(names, n, sizeof(names[0]), compare_names);
	return (names);
}

void
maps_names_free(char **names)
{
	for (char **n = names; *n != NULL; n++)
		free(*n);
	free(names);
}

/* The path of a bundled map, malloc()ed, or NULL. */
static char *
find_bundled(const char *name)
{
	char *dir, *path;

	if (strchr(name, '/') != NULL)
		return (NULL);
	for (unsigned i = 0; (dir = maps_dir(i)) != NULL; i++) {
		path = bench_asprintf(
		    "%s/%s%s", dir, name, has_suffix(name) ? "" : SUFFIX);
		free(dir);
		if (access(path, R_OK) == 0)
			return (path);
		free(path);
	}
	return (NULL);
}

static int
no_such_map(const char *name)
{
	char **names, *all;
	size_t n = 0;

	if (strchr(name, '/') != NULL) {
		warnx("%s: %s", name, strerror(ENOENT));
		return (EX_NOINPUT);
	}
	names = maps_names();
	while (names[n] != NULL)
		n++;
	all = bench_join(names, n, ", ");
	warnx(
	    "%s: no such file, and no bundled map has this name; those are %s",
	    name, all);
	free(all);
	maps_names_free(names);
	return (EX_NOINPUT);
}

static int
read_file(const char *path, struct memmap **mmp)
{
	const char *shown = strcmp(path, "-") == 0 ? "(stdin)" : path;
	struct memmap_error me;
	int error;

	memset(&me, 0, sizeof(me));
	error = memmap_read(path, mmp, &me);
	if (error == 0)
		return (0);
	if (me.me_text[0] == '\0')
		warnx("%s: %s", shown, strerror(error));
	else if (me.me_line != 0)
		warnx("%s:%u: %s", shown, me.me_line, me.me_text);
	else
		warnx("%s: %s", shown, me.me_text);
	return (bench_exit_status(error));
}

int
maps_open(const char *name, struct memmap **mmp)
{
	struct memmap_error me;
	struct stat st;
	char *path;
	int error;

	if (name != NULL && (strcmp(name, "-") == 0 || stat(name, &st) == 0))
		return (read_file(name, mmp));
	if (name != NULL && errno != ENOENT) {
		error = errno;
		warnx("%s: %s", name, strerror(error));
		return (bench_exit_status(error));
	}
	path = name != NULL ? find_bundled(name) : NULL;
	if (path != NULL) {
		error = read_file(path, mmp);
		free(path);
		return (error);
	}
	if (name != NULL && strcmp(name, MAPS_DEFAULT) != 0)
		return (no_such_map(name));

	memset(&me, 0, sizeof(me));
	error = memmap_parse(
	    MAPS_DEFAULT, maps_default_text, maps_default_len, mmp, &me);
	if (error != 0) {
		warnx("(compiled in):%u: %s", me.me_line, me.me_text);
		return (error == EINVAL ? EX_SOFTWARE : EX_OSERR);
	}
	return (0);
}
