/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmapsim: contention on FreeBSD's pv list locks, by design and by machine.
 *
 * Here is only what all commands share: finding the command, help, what happens
 * when the library panics, and that output which cannot be written is an error.
 */

#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "bench.h"
#include "opt.h"
#include "pmapsim/build.h"
#include "pmapsim/panic.h"

static const struct command *const commands[] = {
	&cmd_compare,
	&cmd_micro,
	&cmd_locks,
	&cmd_inversion,
	&cmd_script,
	&cmd_explore,
	&cmd_calibrate,
	&cmd_validate,
	&cmd_memmap,
	&cmd_list,
	&cmd_probe,
};

static const char exit_statuses[] =
    "\nExit status:\n"
    "    0  done\n"
    "    1  a run was void, or something that has to hold did not\n"
    "   64  wrong command, option or value\n"
    "   65  bad contents of an input\n"
    "   66  an input that is not there or cannot be read\n"
    "   69  a resource is not available: no more threads or machines\n"
    "   70  the library has found an error of its own\n"
    "   71  the system lacks memory or address space\n"
    "   73  an output file cannot be created\n"
    "   74  output cannot be written\n"
    "  130  interrupted; what had been measured was printed\n";

static void
usage(FILE *out)
{
	(void)fprintf(out,
	    "Usage: pmapsim COMMAND [OPTION]... [ARGUMENT]...\n\n"
	    "FreeBSD's amd64 pmap in userspace: what a lock or a layout of pv "
	    "headers does to\ncontention on \"pmap pv list\", on the memory map "
	    "of a real machine.\n\nCommands:\n");
	for (size_t i = 0; i < nitems(commands); i++) {
		if (commands[i]->c_brief != NULL)
			(void)fprintf(out, "  %-10s%s\n", commands[i]->c_name,
			    commands[i]->c_brief);
	}
	(void)fprintf(out,
	    "  help      this text, or that of a command\n"
	    "\n\"pmapsim COMMAND --help\" has options and examples.  "
	    "\"pmapsim --version\" says\nwhat was built, and how.\n%s",
	    exit_statuses);
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < nitems(commands); i++) {
		if (strcmp(commands[i]->c_name, name) == 0)
			return (commands[i]);
	}
	return (NULL);
}

static int
unknown_command(const char *name)
{
	warnx("no command \"%s\"; there are compare, micro, locks, inversion, "
	      "script, explore, calibrate, validate, memmap, list and help",
	    name);
	return (EX_USAGE);
}

static int
help(int argc, char *argv[])
{
	const struct command *c;

	if (argc < 2) {
		usage(stdout);
		return (0);
	}
	if (argc > 2) {
		warnx("help: expected at most one command");
		return (EX_USAGE);
	}
	c = find_command(argv[1]);
	if (c == NULL)
		return (unknown_command(argv[1]));
	opt_help(c, stdout);
	return (0);
}

static bool
wants_help(int argc, char *argv[])
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-h") == 0)
			return (true);
	}
	return (false);
}

static void
print_version(void)
{
	(void)printf("pmapsim %s, commit %s\n%s, %s%s\n", pmapsim_version(),
	    pmapsim_commit(), pmapsim_compiler(), pmapsim_cflags(),
	    pmapsim_invariants() ? ", with PMAPSIM_INVARIANTS" : "");
}

static int
dispatch(int argc, char *argv[])
{
	const struct command *c;

	if (argc < 2) {
		usage(stderr);
		return (EX_USAGE);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return (0);
	}
	if (strcmp(argv[1], "--version") == 0) {
		print_version();
		return (0);
	}
	if (strcmp(argv[1], "help") == 0)
		return (help(argc - 1, argv + 1));
	if (argv[1][0] == '-') {
		warnx("no option %s before a command; see \"pmapsim --help\"",
		    argv[1]);
		return (EX_USAGE);
	}
	c = find_command(argv[1]);
	if (c == NULL)
		return (unknown_command(argv[1]));
	if (wants_help(argc - 1, argv + 1)) {
		opt_help(c, stdout);
		return (0);
	}
	return (c->c_run(argc - 1, argv + 1));
}

/*
 * Any thread may be here, at any place: no lock of the C library's may be taken
 * that another one could hold for good, so nothing is flushed.
 */
static void
on_panic(const char *file, int line, const char *msg)
{
	char text[512];
	int n;

	n = snprintf(
	    text, sizeof(text), "pmapsim: panic: %s:%d: %s\n", file, line, msg);
	if (n >= (int)sizeof(text)) {
		n = (int)sizeof(text) - 1;
		text[n - 1] = '\n';
	}
	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(EX_SOFTWARE);
	_exit(EX_SOFTWARE);
}

/*
 * A descriptor below 3 that came closed would be given to the next file opened,
 * and our text would go there.  Opened the wrong way round, it fails as if it
 * were closed.
 */
static void
occupy_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) == -1)
			(void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
	}
}

int
main(int argc, char *argv[])
{
	bool failed;
	int status;

	occupy_descriptors();
	panic_handler = on_panic;
	status = dispatch(argc, argv);
	failed = ferror(stdout) != 0;
	if (fclose(stdout) != 0 || failed) {
		warnx("(stdout): expected to write the output, and could not");
		if (status == 0)
			status = EX_IOERR;
	}
	return (status);
}
