/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef PERCPU_H
#define PERCPU_H

/**
 * A stack of pages for each CPU, reached without a locked instruction. Internal to lib/page.
 *
 * Pushing and popping are restartable sequences (rseq(2)): the kernel sends a thread that is
 * preempted, migrated or interrupted by a signal within one back to its start, and the one store at
 * its end makes it happen. So a stack belongs to whoever runs on its CPU, a signal handler may use
 * it in the midst of another use of it, and a thread that is stopped or killed never holds it.
 *
 * What lies on the stack of another CPU can be stolen: a thief *closes* the stack, has membarrier(2)
 * end every sequence that began before, and from then on the stack is taken from by
 * compare-and-swap, by anybody, until it is empty and the CPU that it belongs to opens it again.
 *
 * Every loop is bounded. A thief gives a stack up after PERCPU_CLOSE_TRIES closings that its CPU or another thief undid, and
 * under one closing the count only falls. A sequence begins again each time that its thread loses the CPU or a thief has it
 * sent back, which is somebody else's progress, and it is shorter than a time slice by five orders of magnitude.
 *
 * A stack begins closed: percpu_reopen(), which a push or pop that failed is followed by, opens it and
 * notes that its CPU uses it, so that whoever looks at all stacks looks at few.
 *
 * The stacks are one process's: membarrier(2) knows no other. Where the kernel, the C library or
 * the processor lacks any of this, percpu_available() is false and every call does nothing.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_THREAD__) && __has_include(<sys/rseq.h>)
#define PERCPU_RSEQ 1
#include <sys/rseq.h>
#else
#define PERCPU_RSEQ 0
#endif

#include "lab_base.h"

/** Most pages of a stack. */
#define PERCPU_MAX_SLOTS 496U
#define PERCPU_MAX_CPUS  512U

/**
 * The word of a stack: how many pages, whether it is closed, a number for each closing, and how many
 * were ever popped by the CPU itself (modulo 2^43). The owner's one store changes all of it.
 */
#define PERCPU_COUNT       0x3ffULL
#define PERCPU_CLOSED      0x400ULL
#define PERCPU_CLOSE_SHIFT 11
#define PERCPU_CLOSES      (0x3ffULL << PERCPU_CLOSE_SHIFT)
#define PERCPU_POP_SHIFT   21

struct percpu_stack {
	_Alignas(LAB_CACHE_LINE) _Atomic uint64_t word;
	_Atomic uint32_t closings; /**< where the numbers come from */
	_Atomic uint64_t moves;    /**< see percpu_move_begin() */
	uint64_t pad[4];
	uint64_t below; /**< the slots: 0, which is no page; percpu_push_one() looks at it */
	_Alignas(LAB_CACHE_LINE) void *slot[];
};

struct percpu {
	struct percpu_stack *stack;                  /**< of CPU 0 */
	uint64_t stride;                             /**< bytes from one CPU's to the next one's */
	unsigned int nr_cpus;                        /**< at most PERCPU_MAX_CPUS */
	unsigned int slots;                          /**< pages that a stack has room for */
	_Atomic uint64_t used[PERCPU_MAX_CPUS / 64]; /**< CPUs that have opened their stack */
};

_Static_assert(__builtin_offsetof(struct percpu_stack, slot) ==
		       __builtin_offsetof(struct percpu_stack, below) + 8,
	"below the slots is a word of this structure");
_Static_assert(
	sizeof(((struct percpu *)0)->stride) == 8 && sizeof(((struct percpu *)0)->nr_cpus) == 4,
	"the sequences read them in memory");

/** Bytes of one stack. */
static inline size_t
percpu_stack_bytes(unsigned int slots)
{
	size_t n = sizeof(struct percpu_stack) + slots * sizeof(void *);

	return (n + LAB_CACHE_LINE - 1) & ~(size_t)(LAB_CACHE_LINE - 1);
}

/** Close every stack of fresh (zeroed) memory. */
void percpu_init(struct percpu *p);

#pragma GCC visibility push(hidden)

/** Words of stacks and slots of depots and reserves that this thread looked at or swapped since it was last set to 0;
 *  counted in test builds. */
extern _Thread_local unsigned long percpu_steps;
#if LAB_ASSERT_TIER >= 1
#define PERCPU_STEP() (percpu_steps++)
#else
#define PERCPU_STEP() ((void)0)
#endif

/** True if this process can use stacks. The first call registers it with the kernel. Any thread. */
bool percpu_available(void);

/** Pop n pages into out: all or none. Any context, signal handlers included. */
bool percpu_pop(const struct percpu *p, void **out, unsigned int n);
/** Push n pages: all or none (no room, closed, not available). Any context. */
bool percpu_push(const struct percpu *p, void *const *pages, unsigned int n);
/** As percpu_push(), and false if any of them, n > 0, is no block: those are `bytes` long, a power of two, the first at
 *  `base` and the last at `last`. */
bool percpu_push_blocks(const struct percpu *p, void *const *pages, unsigned int n, uintptr_t base,
	uintptr_t last, uintptr_t bytes);

/** Tries to close a stack before a thief passes it over. */
#define PERCPU_CLOSE_TRIES 8U

/** Take up to n pages from any stack, this CPU's last. Any context; a system call for each stack
 *  that holds some, or PERCPU_CLOSE_TRIES if its CPU is busy with it. @return how many; fewer than n: each stack was
 *  found empty or busy. */
unsigned int percpu_steal(const struct percpu *p, void **out, unsigned int n);

/** Take up to n pages of a process that is dead, so that nothing else happens to its stacks.
 *  @return how many. */
unsigned int percpu_take_dead(const struct percpu *p, void **out, unsigned int n);
/** Forget the moves of a dead process. @return pages that were in them, at most. */
unsigned long percpu_end_dead_moves(const struct percpu *p);

/** After a push or pop failed: open this CPU's stack if a thief left it closed. Any context. */
void percpu_reopen(struct percpu *p);

/**
 * Pages that a thread takes from a stack to the frames or the other way are on no list meanwhile. It
 * says so before and after, on the CPU's stack where it began.
 */
_Atomic uint64_t *percpu_move_begin(struct percpu *p, unsigned int pages);
void percpu_move_end(_Atomic uint64_t *moves, unsigned int pages);

/** Moves of all stacks, in one number: the lower half is 0 if none is under way, and another number follows once one
 *  has begun. */
uint64_t percpu_moves(const struct percpu *p);

/** What all stacks of a process hold and did. */
struct percpu_sum {
	uint64_t held;   /**< pages on stacks or in a move */
	uint64_t events; /**< grows with every pop, closing and move */
};

/**
 * Add up. If two sums, one after the other, hold nothing and have the same events, then no page was on
 * any stack or in a move at the moments between them. Any context.
 */
void percpu_add_up(const struct percpu *p, struct percpu_sum *sum);

/** Pages that CPUs popped from their own stacks, modulo 2^43 a CPU. */
uint64_t percpu_popped(const struct percpu *p);

/** Does the page lie on this CPU's stack? To be asked of a page that is not, or should not be, on any. */
bool percpu_holds(const struct percpu *p, const void *page);

/** Pages on this CPU's stack, a moment ago. */
unsigned int percpu_here(const struct percpu *p);

/** Pages on all stacks, each count read at its own moment. */
unsigned long percpu_count(const struct percpu *p);

/* One page: inlined into the fast path. */

#if PERCPU_RSEQ

/** Where a thread's struct rseq is from its thread pointer: a copy of the C library's constant that needs no
 *  relocation. */
extern ptrdiff_t percpu_rseq_offset;

#define PERCPU_STR_(x) #x
#define PERCPU_STR(x)  PERCPU_STR_(x)

/* Assembler reads better one instruction a line. */
/* clang-format off */

/** Opens a sequence; ends with rax at this CPU's stack, rcx its word, edx the count, which PERCPU_CLOSED
 *  makes larger than any stack. Jumps to MISS if there is none. The kernel finds the sequence by its
 *  descriptor (label 3). */
#define PERCPU_BEGIN(miss)                                                                         \
	".pushsection __rseq_cs, \"aw\"\n"                                                         \
	".balign 32\n"                                                                             \
	"3: .long 0, 0\n"                                                                          \
	".quad 1f, 2f - 1f, 4f\n"                                                                  \
	".popsection\n"                                                                            \
	".pushsection __rseq_failure, \"ax\"\n"                                                    \
	".byte 0x0f, 0xb9, 0x3d\n"                                                                 \
	".long " PERCPU_STR(RSEQ_SIG) "\n"                                                         \
	"4: jmp 5f\n"                                                                              \
	".popsection\n"                                                                            \
	"5: leaq 3b(%%rip), %%rax\n"                                                               \
	"movq %%rax, %%fs:%c[cs](%[rseq])\n"                                                       \
	"1: movl %%fs:%c[id](%[rseq]), %%eax\n"                                                    \
	"cmpl %[cpus], %%eax\n"                                                                    \
	"jae " miss "\n"                                                                           \
	"imulq %[stride], %%rax\n"                                                                 \
	"addq %[stack], %%rax\n"                                                                   \
	"movq (%%rax), %%rcx\n"                                                                    \
	"movl %%ecx, %%edx\n"                                                                      \
	"andl %[count], %%edx\n"

#define PERCPU_INPUTS                                                                              \
	[rseq] "r"(percpu_rseq_offset),                                                            \
		[cs] "i"(__builtin_offsetof(struct rseq, rseq_cs)),                                \
		[id] "i"(__builtin_offsetof(struct rseq, cpu_id)), [cpus] "rm"(p->nr_cpus),        \
		[stack] "rm"(p->stack), [stride] "rm"(p->stride),                        \
		[slot] "i"(__builtin_offsetof(struct percpu_stack, slot)),                         \
		[closed] "i"(PERCPU_CLOSED), [count] "i"(PERCPU_COUNT | PERCPU_CLOSED)

#define PERCPU_MISS "%l[miss]"

/** Pop one page, NULL if there is none. Any context. Its miss is a piece of assembler and no label of C: gcc
 *  before 12.4 and 13.3 takes the output of an asm goto for anything on the way of its labels (PR 113921). */
static inline void *
percpu_pop_one(const struct percpu *p)
{
	void *page;

	__asm__ volatile(PERCPU_BEGIN("8f")
		"decl %%edx\n" /* of an empty stack: wraps around */
		"cmpl %[closed] - 1, %%edx\n"
		"jae 8f\n"
		"movq %c[slot](%%rax,%%rdx,8), %%rdx\n"
		"addq %[popped], %%rcx\n"
		"movq %%rcx, (%%rax)\n"
		"2:\n"
		".pushsection __rseq_failure, \"ax\"\n"
		"8: xorl %%edx, %%edx\n"
		"jmp 2b\n"
		".popsection\n"
		: "=&d"(page)
		: PERCPU_INPUTS, [popped] "i"((1UL << PERCPU_POP_SHIFT) - 1)
		: "rax", "rcx", "memory", "cc");
	return page;
}

/** Push one page; false if there is no room, or if it lies on top already: below an empty stack is a word that no
 *  page equals. Any context. */
static inline bool
percpu_push_one(const struct percpu *p, void *page)
{
	__asm__ goto(PERCPU_BEGIN(PERCPU_MISS)
		"cmpl %[slots], %%edx\n"
		"jae %l[miss]\n"
		"cmpq %[page], %c[slot]-8(%%rax,%%rdx,8)\n"
		"je %l[miss]\n"
		"movq %[page], %c[slot](%%rax,%%rdx,8)\n"
		"incq %%rcx\n"
		"movq %%rcx, (%%rax)\n"
		"2:\n"
		:
		: PERCPU_INPUTS, [page] "r"(page), [slots] "rm"(p->slots)
		: "rax", "rcx", "rdx", "memory", "cc"
		: miss);
	return true;
miss:
	return false;
}
/* clang-format on */
#else
static inline void *
percpu_pop_one(const struct percpu *p)
{
	(void)p;
	return NULL;
}

static inline bool
percpu_push_one(const struct percpu *p, void *page)
{
	(void)p;
	(void)page;
	return false;
}
#endif

#pragma GCC visibility pop

#endif /* PERCPU_H */
