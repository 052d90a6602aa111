/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Runs inputs that a fuzzer has found: fuzz_replay FILE...
 *
 * A file is a corpus: inputs one after the other, each after its length in two
 * bytes, the lower one first.  Exits 1 if any input fails.
 *
 *	--pack FILE...	 write a corpus of the files to standard output
 *	--unpack FILE DIR  write each input to a file of its own, for libFuzzer
 *	--show FILE	 print the script that a file with one input stands for
 */

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_script.h"

#define INPUT_MAX 65535

static uint8_t input[INPUT_MAX];

static FILE *
open_file(const char *path, const char *mode)
{
	FILE *f = fopen(path, mode);

	if (f == NULL)
		err(1, "%s", path);
	return (f);
}

/* The next input of a corpus; false at its end. */
static bool
next_input(FILE *f, const char *path, size_t *np)
{
	int high, low = getc(f);

	if (low == EOF)
		return (false);
	high = getc(f);
	*np = high == EOF ? 0 : (size_t)low | (size_t)high << 8;
	if (high == EOF || fread(input, 1, *np, f) != *np)
		errx(1, "%s: expected whole inputs, found the end", path);
	return (true);
}

static int
pack(int argc, char *argv[])
{
	size_t n;
	FILE *f;

	for (int i = 0; i < argc; i++) {
		f = open_file(argv[i], "rb");
		n = fread(input, 1, sizeof(input), f);
		(void)fclose(f);
		(void)putchar((int)(n & 255));
		(void)putchar((int)(n >> 8));
		(void)fwrite(input, 1, n, stdout);
	}
	return (fflush(stdout) == 0 ? 0 : 1);
}

static int
unpack(const char *path, const char *dir)
{
	FILE *f = open_file(path, "rb"), *out;
	char name[4096];
	unsigned i = 0;
	size_t n;

	while (next_input(f, path, &n)) {
		(void)snprintf(name, sizeof(name), "%s/%04u", dir, i++);
		out = open_file(name, "wb");
		(void)fwrite(input, 1, n, out);
		if (fclose(out) != 0)
			err(1, "%s", name);
	}
	(void)fclose(f);
	return (0);
}

static int
show(const char *path)
{
	struct script_lines sl = { .sl_n = 0 };
	FILE *f = open_file(path, "rb");
	enum pmap_version version;
	char design[96];
	size_t n;

	n = fread(input, 1, sizeof(input), f);
	(void)fclose(f);
	fuzz_decode(input, n, &sl, &version, design, sizeof(design));
	printf("# --pmap %s --design %s\n", pmap_version_name(version), design);
	for (size_t i = 0; i < sl.sl_n; i++)
		printf("%s\n", sl.sl_lines[i]);
	script_lines_free(&sl);
	return (0);
}

static unsigned
replay(const char *path)
{
	FILE *f = open_file(path, "rb");
	unsigned failed = 0, inputs = 0;
	uint64_t ops = 0;
	size_t n;

	for (; next_input(f, path, &n); inputs++) {
		if (fuzz_one(input, n, &ops))
			continue;
		(void)fprintf(stderr, "%s: input %u fails\n", path, inputs);
		failed++;
	}
	(void)fclose(f);
	printf("%s: %u inputs, %ju operations, %u failed\n", path, inputs,
	    (uintmax_t)ops, failed);
	/* An empty corpus would pass for ever. */
	return (inputs == 0 ? 1 : failed);
}

int
main(int argc, char *argv[])
{
	unsigned failed = 0;

	if (argc >= 3 && strcmp(argv[1], "--pack") == 0)
		return (pack(argc - 2, argv + 2));
	if (argc == 4 && strcmp(argv[1], "--unpack") == 0)
		return (unpack(argv[2], argv[3]));
	if (argc == 3 && strcmp(argv[1], "--show") == 0)
		return (show(argv[2]));
	if (argc < 2 || argv[1][0] == '-')
		errx(64, "expected FILE..., --pack, --unpack or --show");
	for (int i = 1; i < argc; i++)
		failed += replay(argv[i]);
	return (failed == 0 ? 0 : 1);
}
