/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "percpu.h"

_Thread_local unsigned long percpu_steps;

static inline struct percpu_stack *
stack_of(const struct percpu *p, unsigned int cpu)
{
	return (struct percpu_stack *)((uintptr_t)p->stack + (size_t)cpu * p->stride);
}

static inline bool
is_used(const struct percpu *p, unsigned int cpu)
{
	return atomic_load((_Atomic uint64_t *)&p->used[cpu / 64]) >> (cpu % 64) & 1;
}

static inline void
set_used(struct percpu *p, unsigned int cpu)
{
	if (!is_used(p, cpu))
		atomic_fetch_or(&p->used[cpu / 64], 1ULL << (cpu % 64));
}

/** As COPY_LOOKED_AT does. */
static inline bool
are_blocks(void *const *pages, unsigned int n, uintptr_t base, uintptr_t last, uintptr_t bytes)
{
	uintptr_t bits = 0;

	for (unsigned int i = 0; i < n; i++)
		bits |= ((uintptr_t)pages[i] - base) | (last - (uintptr_t)pages[i]);
	return (intptr_t)bits >= 0 && (bits & (bytes - 1)) == 0;
}

#if PERCPU_RSEQ

#include <immintrin.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

/** As the kernel sees it; the C library's constant is not in every header. */
static long
membarrier(int command, unsigned int flags, int cpu)
{
	return syscall(SYS_membarrier, command, flags, cpu);
}

ptrdiff_t percpu_rseq_offset;
static bool has_avx;

/** Before anything of this library runs. */
__attribute__((constructor(101))) static void
look_around(void)
{
	percpu_rseq_offset = __rseq_offset;
	__builtin_cpu_init();
	has_avx = __builtin_cpu_supports("avx2");
}

bool
percpu_available(void)
{
	/* Registering twice is fine: no need to remember more than the answer. */
	static _Atomic int answer; /* 0: not asked */
	int known = atomic_load_explicit(&answer, memory_order_relaxed);

	if (known == 0) {
		known = __rseq_size > 0 &&
					membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ,
						0, 0) == 0
				? 1
				: -1;
		atomic_store_explicit(&answer, known, memory_order_relaxed);
	}
	return known > 0;
}

/* Assembler reads better one instruction a line. */
/* clang-format off */

/** Copy n pages, n > 0, to where `to` says; uses rdx and rdi. Single pages first, then pairs from the end. */
#define COPY_PAIRS(from, to)                                                                       \
	"movq %[n], %%rdx\n"                                                                       \
	"testb $1, %%dl\n"                                                                         \
	"jz 6f\n"                                                                                  \
	"decq %%rdx\n"                                                                             \
	"movq (" from ",%%rdx,8), %%rdi\n"                                                         \
	"movq %%rdi, (" to ",%%rdx,8)\n"                                                           \
	"jz 7f\n"                                                                                  \
	"6: movups -16(" from ",%%rdx,8), %%xmm0\n"                                                \
	"movups %%xmm0, -16(" to ",%%rdx,8)\n"                                                     \
	"subq $2, %%rdx\n"                                                                         \
	"jnz 6b\n"                                                                                 \
	"7:\n"

/** The same by AVX: eights from the end, then single pages. */
#define COPY_EIGHTS(from, to)                                                                      \
	"movq %[n], %%rdx\n"                                                                       \
	"subq $8, %%rdx\n"                                                                         \
	"jb 8f\n"                                                                                  \
	"6: vmovdqu 32(" from ",%%rdx,8), %%ymm0\n"                                                \
	"vmovdqu (" from ",%%rdx,8), %%ymm1\n"                                                     \
	"vmovdqu %%ymm0, 32(" to ",%%rdx,8)\n"                                                     \
	"vmovdqu %%ymm1, (" to ",%%rdx,8)\n"                                                       \
	"subq $8, %%rdx\n"                                                                         \
	"jae 6b\n"                                                                                 \
	"8: addq $8, %%rdx\n"                                                                      \
	"jz 7f\n"                                                                                  \
	"9: decq %%rdx\n"                                                                          \
	"movq (" from ",%%rdx,8), %%rdi\n"                                                         \
	"movq %%rdi, (" to ",%%rdx,8)\n"                                                           \
	"jnz 9b\n"                                                                                 \
	"7:\n"

/** Likewise from the pages to the slots, and on the way each page is looked at: two differences of addresses, of which
 *  one is negative if the page is outside, and both have low bits if it is inside of a block (ymm2). A miss if any
 *  has: what was copied lies above the count, where nothing is. */
#define COPY_LOOKED_AT                                                                             \
	"vpxor %%xmm2, %%xmm2, %%xmm2\n"                                                           \
	"movq %[n], %%rdx\n"                                                                       \
	"subq $8, %%rdx\n"                                                                         \
	"jb 8f\n"                                                                                  \
	"6: vmovdqu 32(%[pages],%%rdx,8), %%ymm0\n"                                                \
	"vmovdqu %%ymm0, 32(%%rsi,%%rdx,8)\n"                                                      \
	LOOK_AT_YMM0                                                                               \
	"vmovdqu (%[pages],%%rdx,8), %%ymm0\n"                                                     \
	"vmovdqu %%ymm0, (%%rsi,%%rdx,8)\n"                                                        \
	LOOK_AT_YMM0                                                                               \
	"subq $8, %%rdx\n"                                                                         \
	"jae 6b\n"                                                                                 \
	"8: addq $8, %%rdx\n"                                                                      \
	"jz 7f\n"                                                                                  \
	"9: decq %%rdx\n"                                                                          \
	"vpbroadcastq (%[pages],%%rdx,8), %%ymm0\n"                                                \
	"vmovq %%xmm0, (%%rsi,%%rdx,8)\n"                                                          \
	LOOK_AT_YMM0                                                                               \
	"testq %%rdx, %%rdx\n"                                                                     \
	"jnz 9b\n"                                                                                 \
	"7: vptest %[wrong], %%ymm2\n"                                                             \
	"jnz %l[miss]\n"

#define LOOK_AT_YMM0                                                                               \
	"vpsubq %[first], %%ymm0, %%ymm1\n"                                                        \
	"vpsubq %%ymm0, %[last], %%ymm0\n"                                                         \
	"vpor %%ymm1, %%ymm2, %%ymm2\n"                                                            \
	"vpor %%ymm0, %%ymm2, %%ymm2\n"

/** Its end: the one store that makes it happen. */
#define COMMIT(after)                                                                              \
	"addq %[change], %%rcx\n"                                                                  \
	"movq %%rcx, (%%rax)\n"                                                                    \
	"2:\n" after

/** What comes before the copying of a push: rsi where to, a miss if there is no room. */
#define MAKE_ROOM                                                                                  \
	"leaq %c[slot](%%rax,%%rdx,8), %%rsi\n"                                                    \
	"addq %[change], %%rdx\n"                                                                  \
	"cmpq %[slots], %%rdx\n"                                                                   \
	"ja %l[miss]\n"

#define PUSH_INPUTS                                                                                \
	PERCPU_INPUTS, [n] "r"((uint64_t)n), [change] "r"((uint64_t)n), [pages] "r"(pages),        \
		[slots] "r"((uint64_t)p->slots)

#define POP(copy, after)                                                                           \
	__asm__ goto(PERCPU_BEGIN(PERCPU_MISS)                                                     \
		"testl %[closed], %%edx\n"                                                         \
		"jnz %l[miss]\n"                                                                   \
		"subq %[n], %%rdx\n"                                                               \
		"jb %l[miss]\n"                                                                    \
		"leaq %c[slot](%%rax,%%rdx,8), %%rsi\n"                                            \
		copy("%%rsi", "%[out]") COMMIT(after)                                              \
		:                                                                                  \
		: PERCPU_INPUTS, [n] "r"((uint64_t)n),                                             \
		[change] "r"(((uint64_t)n << PERCPU_POP_SHIFT) - n), [out] "r"(out)                \
		: "rax", "rcx", "rdx", "rsi", "rdi", "xmm0", "xmm1", "memory", "cc"                \
		: miss);                                                                           \
	return true;                                                                               \
miss:                                                                                              \
	return false

#define PUSH(copy, after)                                                                          \
	__asm__ goto(PERCPU_BEGIN(PERCPU_MISS)                                                     \
		MAKE_ROOM copy("%[pages]", "%%rsi") COMMIT(after)                                  \
		:                                                                                  \
		: PUSH_INPUTS                                                                      \
		: "rax", "rcx", "rdx", "rsi", "rdi", "xmm0", "xmm1", "memory", "cc"                \
		: miss);                                                                           \
	return true;                                                                               \
miss:                                                                                              \
	return false

/* A function for each, so that the sequence's operands are where the caller has them. */

static __attribute__((noinline)) bool
pop_wide(const struct percpu *p, void **out, unsigned int n)
{
	POP(COPY_EIGHTS, "vzeroupper\n");
}

static __attribute__((noinline)) bool
pop_narrow(const struct percpu *p, void **out, unsigned int n)
{
	POP(COPY_PAIRS, "");
}

static __attribute__((noinline)) bool
push_wide(const struct percpu *p, void *const *pages, unsigned int n)
{
	PUSH(COPY_EIGHTS, "vzeroupper\n");
}

static __attribute__((noinline)) bool
push_narrow(const struct percpu *p, void *const *pages, unsigned int n)
{
	PUSH(COPY_PAIRS, "");
}

static __attribute__((noinline, target("avx2"))) bool
push_looked_at(const struct percpu *p, void *const *pages, unsigned int n, uintptr_t base,
	uintptr_t last, uintptr_t bytes)
{
	const __m256i first = _mm256_set1_epi64x((long long)base);
	const __m256i end = _mm256_set1_epi64x((long long)last);
	const __m256i wrong = _mm256_set1_epi64x((long long)(1ULL << 63 | (bytes - 1)));

	__asm__ goto(PERCPU_BEGIN(PERCPU_MISS)
		MAKE_ROOM COPY_LOOKED_AT COMMIT("")
		:
		: PUSH_INPUTS, [first] "x"(first), [last] "x"(end), [wrong] "x"(wrong)
		: "rax", "rcx", "rdx", "rsi", "xmm0", "xmm1", "xmm2", "memory", "cc"
		: miss);
	return true;
miss:
	return false;
}
/* clang-format on */

bool
percpu_pop(const struct percpu *p, void **out, unsigned int n)
{
	if (n == 0)
		return true;
	return __builtin_expect(has_avx, 1) ? pop_wide(p, out, n) : pop_narrow(p, out, n);
}

bool
percpu_push(const struct percpu *p, void *const *pages, unsigned int n)
{
	if (n == 0)
		return true;
	return __builtin_expect(has_avx, 1) ? push_wide(p, pages, n) : push_narrow(p, pages, n);
}

bool
percpu_push_blocks(const struct percpu *p, void *const *pages, unsigned int n, uintptr_t base,
	uintptr_t last, uintptr_t bytes)
{
	if (__builtin_expect(has_avx, 1))
		return push_looked_at(p, pages, n, base, last, bytes);
	return are_blocks(pages, n, base, last, bytes) && percpu_push(p, pages, n);
}

/* ------------------------------------------------------------------ stealing */

static struct rseq *
this_rseq(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/** All but what thieves change. */
static uint64_t
owners_part(uint64_t word)
{
	return word & ~PERCPU_COUNT;
}

static uint64_t
closed_word(struct percpu_stack *s, uint64_t word)
{
	uint64_t number = atomic_fetch_add(&s->closings, 1);

	return (word & ~PERCPU_CLOSES) | (number << PERCPU_CLOSE_SHIFT & PERCPU_CLOSES) |
	       PERCPU_CLOSED;
}

/**
 * Close a stack. On return the word is closed and no sequence that began before that can end: what
 * is read of it now stays true but for other thieves.
 * @return the word; 0 if the stack was found empty, or busy at each try. It has counted a closing then, so whoever adds
 * up sees that something happened.
 */
static uint64_t
close_stack(struct percpu_stack *s, unsigned int cpu)
{
	uint64_t word = atomic_load(&s->word), new;

	for (unsigned int i = 0; i < PERCPU_CLOSE_TRIES && (word & PERCPU_COUNT) != 0; i++) {
		PERCPU_STEP();
		if (!(word & PERCPU_CLOSED)) {
			new = closed_word(s, word);
			if (!atomic_compare_exchange_strong(&s->word, &word, new))
				continue;
			word = new;
		}
		/* a sequence in flight may have stored over the closing: hence the second look */
		if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_FLAG_CPU,
			    (int)cpu) != 0)
			return 0;
		new = atomic_load(&s->word);
		if (owners_part(new) == owners_part(word))
			return new;
		word = new;
	}
	return 0;
}

/** Let the CPU use its stack again, unless somebody has closed it anew meanwhile. Other thieves' swaps expect this
 *  closing's word: they fail from now on. */
static void
reopen(struct percpu_stack *s, uint64_t word)
{
	uint64_t closing = owners_part(word);

	/* what can change under the same closing is the count, and that only falls */
	while (owners_part(word) == closing && (word & PERCPU_CLOSED) &&
		!atomic_compare_exchange_weak(&s->word, &word, word & ~PERCPU_CLOSED))
		PERCPU_STEP();
}

void
percpu_reopen(struct percpu *p)
{
	unsigned int cpu = this_rseq()->cpu_id;
	struct percpu_stack *s;
	uint64_t word;

	if (cpu >= p->nr_cpus)
		return;
	s = stack_of(p, cpu);
	word = atomic_load(&s->word);
	if (!(word & PERCPU_CLOSED))
		return;
	set_used(p, cpu); /* before it can hold a page */
	reopen(s, word);
}

static unsigned int
cpu_here(const struct percpu *p)
{
	unsigned int cpu = this_rseq()->cpu_id;

	return cpu < p->nr_cpus ? cpu : 0;
}

static unsigned int
steal_from(struct percpu_stack *s, unsigned int cpu, void **out, unsigned int n)
{
	uint64_t word = close_stack(s, cpu), closing = owners_part(word);
	unsigned int got = 0;

	/* under another closing, which a swap that failed may find, sequences may still be in flight */
	while (got < n && owners_part(word) == closing && (word & PERCPU_COUNT) != 0) {
		/* nothing is pushed on a closed stack: the slot is what the count says it is */
		void *page = __atomic_load_n(&s->slot[(word & PERCPU_COUNT) - 1], __ATOMIC_RELAXED);

		PERCPU_STEP();
		if (atomic_compare_exchange_strong(&s->word, &word, word - 1)) {
			out[got++] = page;
			word--;
		}
	}
	if (owners_part(word) == closing)
		reopen(s, word);
	return got;
}

unsigned int
percpu_steal(const struct percpu *p, void **out, unsigned int n)
{
	unsigned int here = this_rseq()->cpu_id, got = 0;

	for (unsigned int i = 1; i <= p->nr_cpus && got < n; i++) {
		unsigned int cpu = (here + i) % p->nr_cpus;

		PERCPU_STEP();
		if (is_used(p, cpu) && atomic_load(&stack_of(p, cpu)->word) & PERCPU_COUNT)
			got += steal_from(stack_of(p, cpu), cpu, out + got, n - got);
	}
	return got;
}

#else

bool
percpu_available(void)
{
	return false;
}

bool
percpu_pop(const struct percpu *p, void **out, unsigned int n)
{
	(void)p;
	(void)out;
	return n == 0;
}

bool
percpu_push(const struct percpu *p, void *const *pages, unsigned int n)
{
	(void)p;
	(void)pages;
	return n == 0;
}

bool
percpu_push_blocks(const struct percpu *p, void *const *pages, unsigned int n, uintptr_t base,
	uintptr_t last, uintptr_t bytes)
{
	return are_blocks(pages, n, base, last, bytes) && percpu_push(p, pages, n);
}

void
percpu_reopen(struct percpu *p)
{
	(void)p;
}

static unsigned int
cpu_here(const struct percpu *p)
{
	(void)p;
	return 0;
}

unsigned int
percpu_steal(const struct percpu *p, void **out, unsigned int n)
{
	(void)p;
	(void)out;
	(void)n;
	return 0;
}

#endif

unsigned int
percpu_here(const struct percpu *p)
{
	return atomic_load_explicit(&stack_of(p, cpu_here(p))->word, memory_order_relaxed) &
	       PERCPU_COUNT;
}

bool
percpu_holds(const struct percpu *p, const void *page)
{
	struct percpu_stack *s = stack_of(p, cpu_here(p));
	/* what lay above it before is seen as overwritten by all that see this count */
	uint64_t n = atomic_load_explicit(&s->word, memory_order_acquire) & PERCPU_COUNT;

	while (n > 0) {
		PERCPU_STEP();
		if (__atomic_load_n(&s->slot[--n], __ATOMIC_RELAXED) == page)
			return true;
	}
	return false;
}

void
percpu_init(struct percpu *p)
{
	for (unsigned int i = 0; i < p->nr_cpus; i++)
		atomic_store(&stack_of(p, i)->word, PERCPU_CLOSED);
}

unsigned int
percpu_take_dead(const struct percpu *p, void **out, unsigned int n)
{
	unsigned int got = 0;

	for (unsigned int i = 0; i < p->nr_cpus && got < n; i++) {
		struct percpu_stack *s = stack_of(p, i);
		uint64_t word = atomic_load(&s->word);

		for (; got < n && (word & PERCPU_COUNT) != 0; word--)
			out[got++] = s->slot[(word & PERCPU_COUNT) - 1];
		atomic_store(&s->word, word);
	}
	return got;
}

/* --------------------------------------------------------------------- moves */

#define MOVE_SHIFT 32 /* below: pages in moves; above: moves begun */

_Atomic uint64_t *
percpu_move_begin(struct percpu *p, unsigned int pages)
{
	unsigned int cpu = cpu_here(p);
	_Atomic uint64_t *moves = &stack_of(p, cpu)->moves;

	set_used(p, cpu);
	atomic_fetch_add(moves, (1ULL << MOVE_SHIFT) + pages);
	return moves;
}

void
percpu_move_end(_Atomic uint64_t *moves, unsigned int pages)
{
	atomic_fetch_sub(moves, pages);
}

unsigned long
percpu_end_dead_moves(const struct percpu *p)
{
	unsigned long pages = 0;

	for (unsigned int i = 0; i < p->nr_cpus; i++) {
		_Atomic uint64_t *moves = &stack_of(p, i)->moves;
		uint32_t open = (uint32_t)atomic_load(moves);

		pages += open;
		atomic_fetch_sub(moves, open);
	}
	return pages;
}

uint64_t
percpu_moves(const struct percpu *p)
{
	uint64_t moves = 0;

	for (unsigned int i = 0; i < p->nr_cpus; i++)
		moves += atomic_load(&stack_of(p, i)->moves);
	return moves;
}

void
percpu_add_up(const struct percpu *p, struct percpu_sum *sum)
{
	for (unsigned int i = 0; i < p->nr_cpus; i++) {
		struct percpu_stack *s = stack_of(p, i);
		uint64_t word, moves;

		PERCPU_STEP();
		if (!is_used(p, i))
			continue;
		word = atomic_load(&s->word);
		moves = atomic_load(&s->moves);
		sum->held += (word & PERCPU_COUNT) + (uint32_t)moves;
		sum->events += (word >> PERCPU_POP_SHIFT) + (moves >> MOVE_SHIFT) +
			       atomic_load(&s->closings);
	}
}

unsigned long
percpu_count(const struct percpu *p)
{
	unsigned long n = 0;

	for (unsigned int i = 0; i < p->nr_cpus; i++) {
		PERCPU_STEP();
		n += atomic_load_explicit(&stack_of(p, i)->word, memory_order_relaxed) &
		     PERCPU_COUNT;
	}
	return n;
}

uint64_t
percpu_popped(const struct percpu *p)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < p->nr_cpus; i++)
		n += atomic_load_explicit(&stack_of(p, i)->word, memory_order_relaxed) >>
		     PERCPU_POP_SHIFT;
	return n;
}
