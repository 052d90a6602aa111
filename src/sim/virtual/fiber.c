/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contexts by hand: the registers that a call must keep go on the stack, the stack
 * pointer into struct fiber_ctx, and the other fiber's come back the same way.
 *
 * Why not ucontext(3) everywhere.  swapcontext() saves the signal mask, a system
 * call each time, and the virtual machine switches millions of times a second.
 * Measured: AMD EPYC, 2 x 10^7 switches in a ring of 104: this 6.6 ns, half of it
 * for the floating-point modes; ucontext 190 ns.
 *
 * A fiber that has never run looks as if it had switched away: a frame of zeros
 * and the modes, with the address of fiber_first() where a return goes to.  That
 * takes the function and its argument from two of the registers.
 *
 * A stack that does not run, upwards from fc_sp:
 *
 *	x86-64	mxcsr, x87 control word; r15 r14 r13 r12 rbx rbp; return
 *	arm64	x19 to x28, x29, x30; d8 to d15; fpcr
 *
 * The return is a ret and no jump: switches come from one call in one function,
 * so that the CPU's stack of return addresses predicts it right.
 *
 * Stacks lie in mappings of their own, below each FIBER_GUARD bytes without
 * access.  A frame larger than that may jump over it.  Tops are staggered: at one
 * offset within a page, the hot ends of all stacks would compete for the same few
 * sets of the first-level cache.
 *
 * The handler of SIGSEGV has a stack of its own, since a stack that has overflowed
 * has no room for it.  What is no overflow goes on to whoever had the signal
 * before.
 *
 * Limits.  Shadow stacks of the hardware (CET, GCS) are not switched.
 */
#include "sim/virtual/fiber.h"

#include <sys/mman.h>

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "kern/kassert.h"

#if defined(__x86_64__) && !defined(PMAPSIM_FIBER_UCONTEXT)
#define FIBER_X86_64 1
#elif defined(__aarch64__) && !defined(PMAPSIM_FIBER_UCONTEXT)
#define FIBER_ARM64 1
#else
#include <ucontext.h>
#endif

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

#define FIBER_GUARD  ((size_t)64 * 1024)
#define FIBER_COLOUR ((size_t)128)
#define NCOLOURS     32u

/* The one that runs, if it is one of ours: whose guard the handler looks at. */
static struct fiber_ctx *fiber_running;

/* Stacks to use again, all of one size; the next one is in the lowest word. */
struct fiber_spare {
	struct fiber_spare *fs_next;
};
static struct fiber_spare *fiber_spares;
static size_t fiber_spare_size;

/* From the assembly too, so neither static nor inlined. */
__attribute__((visibility("hidden"), used)) _Noreturn void fiber_returned(void);

static struct sigaction fiber_segv_before;
static _Alignas(16) char fiber_segv_stack[64 * 1024];

#if defined(FIBER_X86_64) || defined(FIBER_ARM64)
/* *from = sp; sp = to, with all that a call keeps. */
void fiber_swap(void **from, void *to);
/* Where a new fiber returns to: it calls the function. */
void fiber_first(void);

/* A function of assembly that C calls by its name. */
#define ASM_FUNCTION(name, code)                                               \
	__asm__(".text\n"                                                      \
		".p2align 4\n"                                                 \
		".globl " #name "\n"                                           \
		".hidden " #name "\n"                                          \
		".type " #name ", %function\n" #name ":\n" code ".size " #name \
		", . - " #name "\n")
#endif

#if defined(FIBER_X86_64)

#define FORM "x86-64"

/* The frame that fiber_swap() leaves. */
struct fiber_frame {
	uint32_t ff_mxcsr;
	uint32_t ff_x87;
	uint64_t ff_r15, ff_r14, ff_r13, ff_r12, ff_rbx, ff_rbp;
	void (*ff_return)(void);
};
_Static_assert(sizeof(struct fiber_frame) == 64, "as the code below has it");

ASM_FUNCTION(fiber_swap,
    "	pushq %rbp\n"
    "	pushq %rbx\n"
    "	pushq %r12\n"
    "	pushq %r13\n"
    "	pushq %r14\n"
    "	pushq %r15\n"
    "	subq $8, %rsp\n"
    "	stmxcsr (%rsp)\n"
    "	fnstcw 4(%rsp)\n"
    "	movl (%rsp), %eax\n"
    "	movzwl 4(%rsp), %ecx\n"
    "	movq %rsp, (%rdi)\n"
    "	movq %rsi, %rsp\n"
    /* To set the modes is slow, and they are mostly the same. */
    "	cmpl %eax, (%rsp)\n"
    "	jne 1f\n"
    "	cmpw %cx, 4(%rsp)\n"
    "	jne 1f\n"
    "0:	addq $8, %rsp\n"
    "	popq %r15\n"
    "	popq %r14\n"
    "	popq %r13\n"
    "	popq %r12\n"
    "	popq %rbx\n"
    "	popq %rbp\n"
    "	ret\n"
    "1:	ldmxcsr (%rsp)\n"
    "	fldcw 4(%rsp)\n"
    "	jmp 0b\n");

ASM_FUNCTION(fiber_first,
    "	movq %r13, %rdi\n"
    "	callq *%r12\n"
    "	callq fiber_returned\n"
    "	ud2\n");

/* The modes that a thread starts with. */
static void
frame_init(
    struct fiber_ctx *fc, struct fiber_frame *ff, void (*fn)(void *), void *arg)
{
	(void)fc;
	*ff = (struct fiber_frame){
		.ff_mxcsr = 0x1f80,
		.ff_x87 = 0x037f,
		.ff_r12 = (uint64_t)(uintptr_t)fn,
		.ff_r13 = (uint64_t)(uintptr_t)arg,
		.ff_return = fiber_first,
	};
}

#elif defined(FIBER_ARM64)

#define FORM "arm64"

struct fiber_frame {
	uint64_t ff_x[12]; /* x19 to x30 */
	uint64_t ff_d[8];  /* d8 to d15 */
	uint64_t ff_fpcr;
	uint64_t ff_pad;
};
_Static_assert(sizeof(struct fiber_frame) == 176, "as the code below has it");

ASM_FUNCTION(fiber_swap,
    "	sub sp, sp, #176\n"
    "	stp x19, x20, [sp, #0]\n"
    "	stp x21, x22, [sp, #16]\n"
    "	stp x23, x24, [sp, #32]\n"
    "	stp x25, x26, [sp, #48]\n"
    "	stp x27, x28, [sp, #64]\n"
    "	stp x29, x30, [sp, #80]\n"
    "	stp d8, d9, [sp, #96]\n"
    "	stp d10, d11, [sp, #112]\n"
    "	stp d12, d13, [sp, #128]\n"
    "	stp d14, d15, [sp, #144]\n"
    "	mrs x9, fpcr\n"
    "	str x9, [sp, #160]\n"
    "	mov x10, sp\n"
    "	str x10, [x0]\n"
    "	mov sp, x1\n"
    "	ldr x10, [sp, #160]\n"
    "	cmp x9, x10\n"
    "	b.eq 0f\n"
    "	msr fpcr, x10\n"
    "0:	ldp x19, x20, [sp, #0]\n"
    "	ldp x21, x22, [sp, #16]\n"
    "	ldp x23, x24, [sp, #32]\n"
    "	ldp x25, x26, [sp, #48]\n"
    "	ldp x27, x28, [sp, #64]\n"
    "	ldp x29, x30, [sp, #80]\n"
    "	ldp d8, d9, [sp, #96]\n"
    "	ldp d10, d11, [sp, #112]\n"
    "	ldp d12, d13, [sp, #128]\n"
    "	ldp d14, d15, [sp, #144]\n"
    "	add sp, sp, #176\n"
    "	ret\n");

ASM_FUNCTION(fiber_first,
    "	mov x0, x20\n"
    "	blr x19\n"
    "	bl fiber_returned\n"
    "	brk #1\n");

static void
frame_init(
    struct fiber_ctx *fc, struct fiber_frame *ff, void (*fn)(void *), void *arg)
{
	(void)fc;
	*ff = (struct fiber_frame){
		.ff_x[0] = (uint64_t)(uintptr_t)fn,
		.ff_x[1] = (uint64_t)(uintptr_t)arg,
		.ff_x[11] = (uint64_t)(uintptr_t)fiber_first,
	};
}

#else

#define FORM "ucontext"

/*
 * fc_sp points at a ucontext_t: of one that has run, in the frame of its
 * fiber_swap(); of a new one, at the top of its stack.
 */
struct fiber_frame {
	ucontext_t ff_context;
	void (*ff_fn)(void *);
	void *ff_arg;
};

static void
fiber_swap(void **from, void *to)
{
	ucontext_t context;

	*from = &context;
	(void)swapcontext(&context, to);
}

/* makecontext() passes ints: a pointer in two halves. */
static void
fiber_first(int high, int low)
{
	struct fiber_frame *ff =
	    (void *)(uintptr_t)((uint64_t)(unsigned)high << 32 | (unsigned)low);

	ff->ff_fn(ff->ff_arg);
	fiber_returned();
}

static void
frame_init(
    struct fiber_ctx *fc, struct fiber_frame *ff, void (*fn)(void *), void *arg)
{
	uint64_t p = (uint64_t)(uintptr_t)ff;

	ff->ff_fn = fn;
	ff->ff_arg = arg;
	(void)getcontext(&ff->ff_context);
	ff->ff_context.uc_stack.ss_sp = fc->fc_stack;
	ff->ff_context.uc_stack.ss_size = (size_t)((char *)ff - fc->fc_stack);
	ff->ff_context.uc_link = NULL;
	makecontext(&ff->ff_context, (void (*)(void))fiber_first, 2,
	    (int)(p >> 32), (int)p);
}

#endif

void
fiber_returned(void)
{
	panic("fiber %u: its function has returned", fiber_running->fc_number);
}

static bool
fiber_overflowed(const struct fiber_ctx *fc, const void *addr)
{
	uintptr_t a = (uintptr_t)addr, stack;

	if (fc == NULL || fc->fc_stack == NULL)
		return (false);
	stack = (uintptr_t)fc->fc_stack;
	return (a < stack && a >= stack - FIBER_GUARD);
}

/* Only what a handler may call: write(2) and _exit(2). */
static void
fiber_segv(int sig, siginfo_t *si, void *context)
{
	static const char text[] = "stack overflow of fiber ";
	char line[sizeof(text) + 12], *digit, digits[11];
	unsigned n;
	size_t len;

	(void)context;
	if (!fiber_overflowed(fiber_running, si->si_addr)) {
		/* It happens again, and then to whoever had it before us. */
		(void)sigaction(sig, &fiber_segv_before, NULL);
		return;
	}
	digit = digits + sizeof(digits);
	*--digit = '\n';
	n = fiber_running->fc_number;
	do {
		*--digit = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	len = (size_t)(digits + sizeof(digits) - digit);
	memcpy(line, text, sizeof(text) - 1);
	memcpy(line + sizeof(text) - 1, digit, len);
	(void)!write(STDERR_FILENO, line, sizeof(text) - 1 + len);
	_exit(FIBER_OVERFLOW_STATUS);
}

/* Looked at each time: others, such as test frameworks, set handlers too. */
static void
fiber_catch_overflow(void)
{
	stack_t ss = {
		.ss_sp = fiber_segv_stack,
		.ss_size = sizeof(fiber_segv_stack),
	};
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK }, before;

	if (sigaction(SIGSEGV, NULL, &before) == 0 &&
	    (before.sa_flags & SA_SIGINFO) != 0 &&
	    before.sa_sigaction == fiber_segv)
		return;
	sa.sa_sigaction = fiber_segv;
	(void)sigemptyset(&sa.sa_mask);
	if (sigaltstack(&ss, NULL) != 0 ||
	    sigaction(SIGSEGV, &sa, &fiber_segv_before) != 0)
		panic("fibers: no handler of SIGSEGV: error %d", errno);
}

/*
 * Below the arena and one after the other, where there is room: what is on stacks
 * then has the same address in each run, also where it is printed.
 */
static char *
stack_map(size_t size)
{
	static uintptr_t hint = (uintptr_t)UINT64_C(0x080000000000);
	char *p;

	p = mmap((void *)hint, FIBER_GUARD + size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return (NULL);
	hint = (uintptr_t)p + FIBER_GUARD + size;
	if (mprotect(p, FIBER_GUARD, PROT_NONE) != 0) {
		(void)munmap(p, FIBER_GUARD + size);
		return (NULL);
	}
	return (p + FIBER_GUARD);
}

static void
stack_unmap(char *stack, size_t size)
{
	int error;

	error = munmap(stack - FIBER_GUARD, FIBER_GUARD + size);
	KASSERT(error == 0, ("stack %p, %zu bytes", (void *)stack, size));
	(void)error;
}

static char *
stack_get(size_t size)
{
	struct fiber_spare *fs;

	while ((fs = fiber_spares) != NULL) {
		fiber_spares = fs->fs_next;
		if (size == fiber_spare_size)
			return ((char *)fs);
		stack_unmap((char *)fs, fiber_spare_size);
	}
	return (stack_map(size));
}

static void
stack_put(char *stack, size_t size)
{
	struct fiber_spare *fs = (struct fiber_spare *)(void *)stack;

	if (fiber_spares != NULL && size != fiber_spare_size) {
		stack_unmap(stack, size);
		return;
	}
	fs->fs_next = fiber_spares;
	fiber_spares = fs;
	fiber_spare_size = size;
}

int
fiber_create(struct fiber_ctx *fc, unsigned number, size_t stack_size,
    void (*fn)(void *), void *arg)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct fiber_frame *ff;
	uintptr_t top;
	char *stack;

	if (stack_size < FIBER_STACK_MIN)
		stack_size = FIBER_STACK_MIN;
	stack_size = (stack_size + page - 1) / page * page;
	fiber_catch_overflow();
	stack = stack_get(stack_size);
	if (stack == NULL)
		return (ENOMEM);
	*fc = (struct fiber_ctx){
		.fc_stack = stack,
		.fc_size = stack_size,
		.fc_number = number,
	};
	/* Where fiber_first() begins, the stack pointer is a multiple of 16. */
	top = (uintptr_t)stack + stack_size - number % NCOLOURS * FIBER_COLOUR;
	ff = (struct fiber_frame *)((top - sizeof(*ff)) & ~(uintptr_t)15);
	frame_init(fc, ff, fn, arg);
	fc->fc_sp = ff;
	return (0);
}

void
fiber_destroy(struct fiber_ctx *fc)
{
	KASSERT(fc->fc_stack != NULL && fc != fiber_running,
	    ("fiber %u destroyed while it runs", fc->fc_number));
	stack_put(fc->fc_stack, fc->fc_size);
	*fc = (struct fiber_ctx){ .fc_number = fc->fc_number };
}

void
fiber_switch(struct fiber_ctx *from, struct fiber_ctx *to)
{
	fiber_running = to;
	fiber_swap(&from->fc_sp, to->fc_sp);
}

const char *
fiber_form(void)
{
	return (FORM);
}
