/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <fenv.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kern/kassert.h"
#include "sim/virtual/fiber.h"

#define NFIBERS    200u
#define STACK_SIZE ((size_t)64 * 1024)

struct task {
	struct fiber_ctx t_ctx;
	unsigned t_number;
	uint64_t t_seed;
	unsigned t_rounds; /* done */
	unsigned t_bad;
};

static struct fiber_ctx main_ctx;
static struct task tasks[NFIBERS];

static int
setup(void **state)
{
	(void)state;
	memset(tasks, 0, sizeof(tasks));
	for (unsigned i = 0; i < NFIBERS; i++)
		tasks[i].t_number = i;
	return (0);
}

static void
destroy_all(void)
{
	for (unsigned i = 0; i < NFIBERS; i++) {
		if (tasks[i].t_ctx.fc_stack != NULL)
			fiber_destroy(&tasks[i].t_ctx);
	}
}

static void
to_main(struct task *t)
{
	fiber_switch(&t->t_ctx, &main_ctx);
}

static void
create(struct task *t, void (*fn)(void *))
{
	assert_int_equal(
	    fiber_create(&t->t_ctx, t->t_number, STACK_SIZE, fn, t), 0);
}

/* Its locals and its argument are its own, whoever runs in between. */
static void
count(void *arg)
{
	struct task *t = arg;
	unsigned mine = t->t_number;
	char local[512];

	memset(local, (int)(t->t_number & 0xff), sizeof(local));
	for (;;) {
		for (size_t i = 0; i < sizeof(local); i++) {
			if (local[i] != (char)(mine & 0xff))
				t->t_bad++;
		}
		if (mine != t->t_number)
			t->t_bad++;
		t->t_rounds++;
		to_main(t);
	}
}

static void
each_has_its_stack(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NFIBERS; i++)
		create(&tasks[i], count);
	for (unsigned r = 1; r <= 5; r++) {
		for (unsigned i = 0; i < NFIBERS; i++) {
			fiber_switch(&main_ctx, &tasks[i].t_ctx);
			assert_int_equal(tasks[i].t_rounds, r);
			assert_int_equal(tasks[i].t_bad, 0);
		}
	}
	destroy_all();
}

static void
ring(void *arg)
{
	struct task *t = arg;

	for (;;) {
		struct task *next = &tasks[(t->t_number + 1) % NFIBERS];

		if (++t->t_rounds == 100 && t->t_number == NFIBERS - 1)
			to_main(t);
		fiber_switch(&t->t_ctx, &next->t_ctx);
	}
}

static void
fibers_switch_to_each_other(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NFIBERS; i++)
		create(&tasks[i], ring);
	fiber_switch(&main_ctx, &tasks[0].t_ctx);
	for (unsigned i = 0; i < NFIBERS; i++)
		assert_int_equal(tasks[i].t_rounds, 100);
	destroy_all();
}

/*
 * More values than there are registers, integers and floating point, live across
 * each switch: what is not in a callee-saved register is on the stack.
 */
static void
compute(void *arg)
{
	struct task *t = arg;
	uint64_t a = t->t_seed, b = a * 3, c = a * 5, d = a * 7, e = a * 11;
	uint64_t f = a * 13, g = a * 17, h = a * 19;
	double u = (double)t->t_number, v = u + 0.5, w = u * 2, x = u * 3;
	double y = u * 5, z = u * 7;

	for (;;) {
		to_main(t);
		a += b;
		b ^= c;
		c += d;
		d ^= e;
		e += f;
		f ^= g;
		g += h;
		h ^= a;
		u += v;
		v = w - v / 2;
		w += x / 4;
		x = y - x / 3;
		y += z / 8;
		z = u - z / 2;
		t->t_seed = a ^ b ^ c ^ d ^ e ^ f ^ g ^ h;
		t->t_seed += (uint64_t)(int64_t)(u + v + w + x + y + z);
		t->t_rounds++;
	}
}

static void
values_survive_switches(void **state)
{
	enum {
		ROUNDS = 50
	};
	uint64_t alone[NFIBERS];

	(void)state;
	/* What each makes with nobody in between, and what among others. */
	for (unsigned i = 0; i < NFIBERS; i++) {
		tasks[i].t_seed = i * UINT64_C(0x9e3779b97f4a7c15) + 1;
		create(&tasks[i], compute);
		for (unsigned r = 0; r <= ROUNDS; r++)
			fiber_switch(&main_ctx, &tasks[i].t_ctx);
		alone[i] = tasks[i].t_seed;
	}
	destroy_all();
	(void)setup(NULL);
	for (unsigned i = 0; i < NFIBERS; i++) {
		tasks[i].t_seed = i * UINT64_C(0x9e3779b97f4a7c15) + 1;
		create(&tasks[i], compute);
	}
	for (unsigned r = 0; r <= ROUNDS; r++) {
		for (unsigned i = 0; i < NFIBERS; i++)
			fiber_switch(&main_ctx, &tasks[i].t_ctx);
	}
	for (unsigned i = 0; i < NFIBERS; i++) {
		assert_int_equal(tasks[i].t_rounds, ROUNDS);
		assert_true(tasks[i].t_seed == alone[i]);
	}
	destroy_all();
}

/* The control word that fegetround() looks at may not be the one that counts. */
static double
third(void)
{
	double one = 1, three = 3;

	__asm__ __volatile__("" : "+m"(one), "+m"(three));
	return (one / three);
}

static void
round_its_own_way(void *arg)
{
	static const int modes[] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD,
		FE_TOWARDZERO };
	struct task *t = arg;
	int mode = modes[t->t_number % 4];
	double quotient;

	if (fegetround() != FE_TONEAREST)
		t->t_bad++;
	(void)fesetround(mode);
	quotient = third();
	for (;;) {
		to_main(t);
		if (fegetround() != mode || third() != quotient)
			t->t_bad++;
		t->t_rounds++;
	}
}

static void
rounding_is_each_ones_own(void **state)
{
	double nearest = third();

	(void)state;
	for (unsigned i = 0; i < NFIBERS; i++)
		create(&tasks[i], round_its_own_way);
	for (unsigned r = 0; r < 3; r++) {
		for (unsigned i = 0; i < NFIBERS; i++) {
			fiber_switch(&main_ctx, &tasks[i].t_ctx);
			assert_int_equal(fegetround(), FE_TONEAREST);
			assert_true(third() == nearest);
		}
	}
	for (unsigned i = 0; i < NFIBERS; i++) {
		assert_int_equal(tasks[i].t_rounds, 2);
		assert_int_equal(tasks[i].t_bad, 0);
	}
	destroy_all();
}

/* What needs 16-byte alignment: a spill of a vector register, va_list. */
static void
look_at_alignment(void *arg)
{
	struct task *t = arg;
	_Alignas(16) char local[16];
	char text[32];

	(void)snprintf(text, sizeof(text), "%.1f", (double)t->t_number / 2);
	__asm__ __volatile__("" : : "r"(local) : "memory");
	t->t_bad = (uintptr_t)__builtin_frame_address(0) % 16 != 0 ||
	    atof(text) != (double)t->t_number / 2;
	t->t_rounds = 1;
	to_main(t);
}

static void
stacks_are_aligned(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NFIBERS; i++) {
		create(&tasks[i], look_at_alignment);
		fiber_switch(&main_ctx, &tasks[i].t_ctx);
		assert_int_equal(tasks[i].t_rounds, 1);
		assert_int_equal(tasks[i].t_bad, 0);
	}
	destroy_all();
}

static void
stacks_are_used_again(void **state)
{
	char *stack;

	(void)state;
	create(&tasks[0], count);
	fiber_switch(&main_ctx, &tasks[0].t_ctx);
	stack = tasks[0].t_ctx.fc_stack;
	fiber_destroy(&tasks[0].t_ctx);
	assert_null(tasks[0].t_ctx.fc_stack);
	create(&tasks[0], count);
	assert_ptr_equal(tasks[0].t_ctx.fc_stack, stack);
	fiber_switch(&main_ctx, &tasks[0].t_ctx);
	assert_int_equal(tasks[0].t_rounds, 2);
	/* Of another size, it is another. */
	assert_int_equal(
	    fiber_create(&tasks[1].t_ctx, 1, 3 * STACK_SIZE, count, &tasks[1]),
	    0);
	fiber_switch(&main_ctx, &tasks[1].t_ctx);
	assert_int_equal(tasks[1].t_rounds, 1);
	destroy_all();
}

/* Not turned into a loop: each level needs what the next returns. */
static unsigned
recurse(unsigned n)
{
	char frame[256];

	memset(frame, (int)n, sizeof(frame));
	__asm__ __volatile__("" : : "r"(frame) : "memory");
	if (n == 0)
		return (0);
	return (recurse(n - 1) + (unsigned char)frame[n % sizeof(frame)]);
}

static void
overflow(void *arg)
{
	struct task *t = arg;

	t->t_rounds = recurse(UINT_MAX);
	to_main(t);
}

static void
fault(void *arg)
{
	struct task *t = arg;

	*(char *)(uintptr_t)t->t_seed = 1;
	to_main(t);
}

/* What a child does that lets task 7 run fn: its status and its standard error. */
static int
run_child(void (*fn)(void *), char *text, size_t size)
{
	struct rlimit no_core = { 0, 0 };
	int fds[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)setrlimit(RLIMIT_CORE, &no_core);
		(void)dup2(fds[1], STDERR_FILENO);
		/* cmocka has a handler of its own in the parent. */
		(void)signal(SIGSEGV, SIG_DFL);
		if (fiber_create(
			&tasks[7].t_ctx, 7, STACK_SIZE, fn, &tasks[7]) == 0)
			fiber_switch(&main_ctx, &tasks[7].t_ctx);
		_exit(0);
	}
	(void)close(fds[1]);
	while ((got = read(fds[0], text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	(void)close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return (status);
}

static void
overflow_is_said_in_a_line(void **state)
{
	char text[256];
	int status;

	(void)state;
	status = run_child(overflow, text, sizeof(text));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), FIBER_OVERFLOW_STATUS);
	assert_string_equal(text, "stack overflow of fiber 7\n");
}

static void
other_faults_are_not_ours(void **state)
{
	char text[256];
	int status;

	(void)state;
	tasks[7].t_seed = 8;
	status = run_child(fault, text, sizeof(text));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	assert_string_equal(text, "");
}

static void
come_back(void *arg)
{
	(void)arg;
}

static void
say_panic(const char *file, int line, const char *msg)
{
	(void)file;
	(void)line;
	(void)fprintf(stderr, "%s\n", msg);
	_exit(1);
}

static void
return_of_a_function_panics(void **state)
{
	char text[256];
	int status;

	(void)state;
	panic_handler = say_panic;
	status = run_child(come_back, text, sizeof(text));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_string_equal(text, "fiber 7: its function has returned\n");
}

static void
this_is_the_form_that_was_asked_for(void **state)
{
	(void)state;
	assert_string_equal(fiber_form(), FIBER_FORM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_has_its_stack, setup),
		cmocka_unit_test_setup(fibers_switch_to_each_other, setup),
		cmocka_unit_test_setup(values_survive_switches, setup),
		cmocka_unit_test_setup(rounding_is_each_ones_own, setup),
		cmocka_unit_test_setup(stacks_are_aligned, setup),
		cmocka_unit_test_setup(stacks_are_used_again, setup),
		cmocka_unit_test_setup(overflow_is_said_in_a_line, setup),
		cmocka_unit_test_setup(other_faults_are_not_ours, setup),
		cmocka_unit_test_setup(return_of_a_function_panics, setup),
		cmocka_unit_test(this_is_the_form_that_was_asked_for),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
