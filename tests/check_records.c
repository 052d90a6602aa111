/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_records FILE DESIGN...: are these the JSON lines of a pmapsim compare of
 * these designs, in this order?  Prints the first line that is not, and why;
 * exits 1 then.  Virtual runs, by the header's kind, have to add up: their time by
 * what it was spent on, and what waited for a lock by two ways of counting.
 */
#include <err.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

struct check {
	const char *c_path;
	char **c_designs;
	int c_ndesigns;
	int c_line;
	int c_repeats;
	int c_headers; /* records of a design's pv headers so far */
	int c_runs;
	int c_profiled;
	int c_ended;
	bool c_virtual;
};

static json_t *
need(const struct check *c, json_t *o, const char *key, json_type type)
{
	json_t *v = json_object_get(o, key);

	if (v == NULL || json_typeof(v) != type)
		errx(1, "%s:%d: expected \"%s\" of JSON type %d", c->c_path,
		    c->c_line, key, (int)type);
	return (v);
}

static const char *
need_string(const struct check *c, json_t *o, const char *key)
{
	return (json_string_value(need(c, o, key, JSON_STRING)));
}

static json_int_t
need_int(const struct check *c, json_t *o, const char *key)
{
	return (json_integer_value(need(c, o, key, JSON_INTEGER)));
}

static void
check_host(const struct check *c, json_t *o)
{
	static const char *const strings[] = { "commit", "cc", "cflags", "cpu",
		"kernel", "governor", "pin" };

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		if (!c->c_virtual)
			(void)need_string(c, o, strings[i]);
		else if (json_object_get(o, strings[i]) != NULL)
			errx(1, "%s:%d: expected no %s of this host", c->c_path,
			    c->c_line, strings[i]);
	}
	if (c->c_virtual) {
		o = need(c, o, "host", JSON_OBJECT);
		(void)need_string(c, o, "name");
		o = need(c, o, "numbers", JSON_OBJECT);
		(void)need(c, o, "line_remote", JSON_REAL);
		(void)need_int(c, o, "sockets");
	} else {
		(void)need(c, o, "pingpong_ns", JSON_REAL);
	}
}

static void
check_header(struct check *c, json_t *o)
{
	json_t *designs = need(c, o, "designs", JSON_ARRAY);

	if (c->c_line != 1)
		errx(1, "%s:%d: expected one header, first", c->c_path,
		    c->c_line);
	c->c_virtual = strcmp(need_string(c, o, "kind"), "virtual") == 0;
	check_host(c, o);
	(void)need_string(c, o, "version");
	(void)need_string(c, o, "workload");
	(void)need_int(c, o, "seed");
	(void)need_int(c, o, "measure_ns");
	(void)need_int(c, o, "warmup_ns");
	(void)need(c, o, "map", JSON_OBJECT);
	(void)need(c, o, "params", JSON_OBJECT);
	(void)need(c, o, "threads", JSON_ARRAY);
	c->c_repeats = (int)need_int(c, o, "repeats");
	if ((int)json_array_size(designs) != c->c_ndesigns)
		errx(1, "%s:%d: expected %d designs", c->c_path, c->c_line,
		    c->c_ndesigns);
	for (int i = 0; i < c->c_ndesigns; i++) {
		const char *s =
		    json_string_value(json_array_get(designs, (size_t)i));

		if (s == NULL || strcmp(s, c->c_designs[i]) != 0)
			errx(1, "%s:%d: expected design %s", c->c_path,
			    c->c_line, c->c_designs[i]);
	}
}

static void
check_headers(struct check *c, json_t *o)
{
	if (c->c_headers >= c->c_ndesigns ||
	    strcmp(need_string(c, o, "design"), c->c_designs[c->c_headers]) !=
		0)
		errx(1, "%s:%d: expected pv headers in the order of designs",
		    c->c_path, c->c_line);
	if (need_int(c, o, "total_bytes") != need_int(c, o, "allocated_bytes"))
		errx(1, "%s:%d: expected bytes reported to be bytes allocated",
		    c->c_path, c->c_line);
	c->c_headers++;
}

/* Of a class of locks in the profile; -1: it has none. */
static json_int_t
profiled(const struct check *c, json_t *run, const char *name, const char *key)
{
	json_t *locks = need(c, run, "locks", JSON_ARRAY), *lock;
	size_t i;

	json_array_foreach(locks, i, lock)
	{
		const char *text = strchr(need_string(c, lock, "name"), ':');

		if (text != NULL && strcmp(text + 1, name) == 0)
			return (need_int(c, lock, key));
	}
	return (-1);
}

static double
sum_members(json_t *o)
{
	const char *key;
	double sum = 0;
	json_t *v;

	json_object_foreach(o, key, v)
	{
		sum += json_number_value(v);
	}
	return (sum);
}

static double
stack_ns(const struct check *c, json_t *class)
{
	static const char *const keys[] = { "compute_ns", "hit_ns",
		"local_miss_ns", "remote_miss_ns", "line_queue_ns", "spin_ns",
		"blocked_ns", "ready_ns" };
	double sum = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		sum += (double)need_int(c, class, keys[i]);
	return (sum);
}

/* Two figures of the same thing, which roundings tell apart. */
static void
check_same(const struct check *c, const char *what, double a, double b)
{
	if (fabs(a - b) > 0.02 * fmax(a, b) + 100)
		errx(1, "%s:%d: expected %s to agree, not %.0f and %.0f",
		    c->c_path, c->c_line, what, a, b);
}

/* One class of the wait stack.  Returns its time. */
static double
check_class(const struct check *c, json_t *run, json_t *class)
{
	const char *name = json_string_value(json_object_get(class, "lock"));
	double ns = stack_ns(c, class), waited = 0;
	json_t *intervals, *v;
	size_t i;

	if (name == NULL)
		return (ns);
	if (profiled(c, run, name, "wait_ns") >= 0)
		check_same(c, "the wait stack and the lock profile", ns,
		    (double)profiled(c, run, name, "wait_ns"));
	if (profiled(c, run, name, "count") >= 0 &&
	    sum_members(need(c, class, "handoffs", JSON_OBJECT)) >
		(double)profiled(c, run, name, "count"))
		errx(1,
		    "%s:%d: %s: expected no more hand-offs than acquisitions",
		    c->c_path, c->c_line, name);
	intervals = need(c, class, "waited_ns", JSON_ARRAY);
	json_array_foreach(intervals, i, v)
	{
		waited += json_number_value(v);
	}
	if (waited > ns * 1.01 + 100)
		errx(1, "%s:%d: %s: expected no more waiting in intervals",
		    c->c_path, c->c_line, name);
	return (ns);
}

static void
check_lines(const struct check *c, json_t *run)
{
	json_t *all = need(c, run, "all_lines", JSON_OBJECT), *v, *lines;
	double left = (double)need_int(c, all, "miss_ns"), ns, last = left;
	size_t i;

	lines = need(c, run, "lines", JSON_ARRAY);
	json_array_foreach(lines, i, v)
	{
		ns = (double)need_int(c, v, "miss_ns");
		if (ns > last || need_string(c, v, "what")[0] == '\0')
			errx(1, "%s:%d: expected lines by time, with names",
			    c->c_path, c->c_line);
		if (sum_members(need(c, v, "from", JSON_OBJECT)) !=
		    (double)need_int(c, v, "misses"))
			errx(1, "%s:%d: expected each miss from somewhere",
			    c->c_path, c->c_line);
		last = ns;
	}
	lines = need(c, run, "line_kinds", JSON_ARRAY);
	json_array_foreach(lines, i, v)
	{
		left -= (double)need_int(c, v, "miss_ns");
	}
	if (json_array_size(lines) == 0 || left < -1000)
		errx(1, "%s:%d: expected kinds of lines to be all lines",
		    c->c_path, c->c_line);
}

static void
check_virtual(const struct check *c, json_t *run)
{
	json_t *threads = need(c, run, "per_thread", JSON_ARRAY), *v, *stack;
	double elapsed = 0, ns = 0;
	size_t i;

	if (strlen(need_string(c, run, "event_hash")) != 16 ||
	    need_int(c, run, "accesses") == 0 || need_int(c, run, "cpus") == 0)
		errx(1, "%s:%d: expected a hash, accesses and CPUs", c->c_path,
		    c->c_line);
	json_array_foreach(threads, i, v)
	{
		elapsed += (double)need_int(c, v, "elapsed_ns");
	}
	stack = need(c, run, "wait_stack", JSON_ARRAY);
	json_array_foreach(stack, i, v)
	{
		ns += check_class(c, run, v);
	}
	/* From the gate to the first look at the clock, and back. */
	if (ns < elapsed * 0.999 || ns > elapsed * 1.02)
		errx(1,
		    "%s:%d: expected the time of all threads, %.0f, not "
		    "%.0f",
		    c->c_path, c->c_line, elapsed, ns);
	check_lines(c, run);
}

static void
check_run(struct check *c, json_t *o)
{
	static const char *const pdes[] = { "pde_promotions", "pde_mappings",
		"pde_demotions", "pde_destroyed" };
	json_int_t column = need_int(c, o, "column");
	json_t *threads = need(c, o, "per_thread", JSON_ARRAY), *t;
	json_int_t ops = 0;
	size_t i;

	if (strcmp(need_string(c, o, "kind"),
		c->c_virtual ? "virtual" : "real") != 0)
		errx(1, "%s:%d: expected the header's kind", c->c_path,
		    c->c_line);
	if (c->c_virtual)
		check_virtual(c, o);
	if (column < 0 || column >= c->c_ndesigns ||
	    strcmp(need_string(c, o, "design"), c->c_designs[column]) != 0)
		errx(1, "%s:%d: expected a design of the header", c->c_path,
		    c->c_line);
	if ((json_int_t)json_array_size(threads) != need_int(c, o, "threads"))
		errx(1, "%s:%d: expected a row for each thread", c->c_path,
		    c->c_line);
	json_array_foreach(threads, i, t)
	{
		ops += need_int(c, t, "enters") + need_int(c, t, "removes") +
		    need_int(c, t, "pageops");
	}
	if (ops != need_int(c, o, "ops"))
		errx(1, "%s:%d: expected ops to be the sum over threads",
		    c->c_path, c->c_line);
	if (json_is_true(json_object_get(o, "profile"))) {
		c->c_profiled++;
		if (json_array_size(need(c, o, "locks", JSON_ARRAY)) == 0)
			errx(1, "%s:%d: expected locks in the profile",
			    c->c_path, c->c_line);
	}
	/* The processes of poudriere have large anonymous memory anyway. */
	for (size_t k = 0; k < sizeof(pdes) / sizeof(pdes[0]); k++) {
		if (need_int(c, o, pdes[k]) != 0 &&
		    strcmp(need_string(c, o, "workload"), "poudriere") != 0 &&
		    need_int(c, need(c, o, "params", JSON_OBJECT),
			"superpages") == 0)
			errx(1, "%s:%d: expected no %s without superpages",
			    c->c_path, c->c_line, pdes[k]);
	}
	(void)need(c, o, "sites", JSON_ARRAY);
	(void)need(c, o, "jain", JSON_REAL);
	(void)need(c, o, "void", JSON_NULL);
	c->c_runs++;
}

static void
check_line(struct check *c, const char *text)
{
	const char *type;
	json_error_t je;
	json_t *o;

	o = json_loads(text, JSON_REJECT_DUPLICATES, &je);
	if (o == NULL)
		errx(1, "%s:%d: %s", c->c_path, c->c_line, je.text);
	if (c->c_ended != 0)
		errx(1, "%s:%d: expected nothing after the end", c->c_path,
		    c->c_line);
	type = need_string(c, o, "type");
	if (strcmp(type, "header") == 0)
		check_header(c, o);
	else if (c->c_line == 1)
		errx(1, "%s:%d: expected a header", c->c_path, c->c_line);
	else if (strcmp(type, "headers") == 0)
		check_headers(c, o);
	else if (strcmp(type, "run") == 0)
		check_run(c, o);
	else if (strcmp(type, "micro") == 0)
		(void)need(c, o, "remove_pages_ns", JSON_REAL);
	else if (strcmp(type, "hostvm") == 0)
		(void)need(c, o, "touch_ns", JSON_OBJECT);
	else if (strcmp(type, "end") == 0)
		c->c_ended = need_int(c, o, "status") == 0 ? 1 : -1;
	else
		errx(1, "%s:%d: type %s?", c->c_path, c->c_line, type);
	json_decref(o);
}

int
main(int argc, char *argv[])
{
	struct check c = { .c_line = 0 };
	char *line = NULL;
	size_t size = 0;
	FILE *f;

	if (argc < 3)
		errx(64, "expected FILE DESIGN...");
	c.c_path = argv[1];
	c.c_designs = argv + 2;
	c.c_ndesigns = argc - 2;
	f = fopen(c.c_path, "r");
	if (f == NULL)
		err(1, "%s", c.c_path);
	while (getline(&line, &size, f) > 0) {
		c.c_line++;
		check_line(&c, line);
	}
	free(line);
	(void)fclose(f);
	if (c.c_ended != 1 || c.c_headers != c.c_ndesigns)
		errx(1, "%s: expected to end well", c.c_path);
	if (c.c_virtual && c.c_runs == c.c_ndesigns * c.c_repeats)
		return (0);
	/* Off, on, and on one CPU. */
	if (c.c_runs != 3 * c.c_ndesigns * c.c_repeats ||
	    c.c_profiled != c.c_ndesigns * c.c_repeats)
		errx(1, "%s: expected 3 runs a repeat and design, not %d of %d",
		    c.c_path, c.c_runs, c.c_ndesigns * c.c_repeats);
	return (0);
}
