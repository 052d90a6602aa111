/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Presets by name or path.  Those of bench/presets are compiled in, so that a
 * program that was installed, or moved, needs no file.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/virtual/preset.h"

#define PRESET_FILE_MAX 65536 /* bytes; ours have 4,000 */

#define BUNDLED(X)                                                             \
	X(clx_2s_104, "clx-2s-104")                                            \
	X(milan_2s_256, "milan-2s-256")                                        \
	X(genoa_2s_384, "genoa-2s-384")                                        \
	X(altra_80, "altra-80")                                                \
	X(laptop_8, "laptop-8")

/* Generated from bench/presets/NAME.preset. */
#define X(id, name)                                                            \
	extern const char preset_##id##_text[];                                \
	extern const size_t preset_##id##_len;
BUNDLED(X)
#undef X

const char *const preset_names[] = {
#define X(id, name) name,
	BUNDLED(X)
#undef X
	    NULL,
};

static int
open_bundled(const char *name, struct preset *p, struct preset_error *pe)
{
#define X(id, file)                                                            \
	if (strcmp(name, file) == 0) {                                         \
		return (preset_parse(                                          \
		    file, preset_##id##_text, preset_##id##_len, p, pe));      \
	}
	BUNDLED(X)
#undef X
	return (ENOENT);
}

static int
open_stream(
    const char *name, FILE *in, struct preset *p, struct preset_error *pe)
{
	char *text = malloc(PRESET_FILE_MAX);
	size_t len;
	int error;

	if (text == NULL)
		return (ENOMEM);
	len = fread(text, 1, PRESET_FILE_MAX, in);
	if (ferror(in)) {
		error = errno != 0 ? errno : EIO;
	} else if (len == PRESET_FILE_MAX) {
		pe->pe_line = 0;
		(void)snprintf(pe->pe_text, sizeof(pe->pe_text),
		    "expected a preset, found %d bytes and more",
		    PRESET_FILE_MAX);
		error = EINVAL;
	} else {
		error = preset_parse(name, text, len, p, pe);
	}
	free(text);
	return (error);
}

int
preset_open(const char *name, struct preset *p, struct preset_error *pe)
{
	struct stat st;
	FILE *in;
	int error;

	error = open_bundled(name, p, pe);
	if (error != ENOENT)
		return (error);
	if (strcmp(name, "-") == 0)
		return (open_stream("stdin", stdin, p, pe));
	in = fopen(name, "r");
	if (in == NULL)
		return (errno);
	if (fstat(fileno(in), &st) == 0 && S_ISDIR(st.st_mode))
		error = EISDIR;
	else
		error = open_stream(name, in, p, pe);
	(void)fclose(in);
	return (error);
}
