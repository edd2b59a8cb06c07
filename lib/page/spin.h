/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_SPIN_H
#define LAB_SPIN_H

/**
 * @file spin.h
 * Values read while others write them, and a lock that works between processes.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

#define lab_likely(x)   __builtin_expect(!!(x), 1)
#define lab_unlikely(x) __builtin_expect(!!(x), 0)

/** Of a function that is called for each packet: it begins a cache line, whatever stands before it. Else a change elsewhere moves
 *  it, which was seen to cost a tenth. */
#define lab_on_line __attribute__((aligned(64)))

/* Values that others read while their owner writes: the reader wants some value that was true a
 * moment ago, never an order between two of them. Writers hold the lock that guards the value. */
#define rd(p)     atomic_load_explicit((p), memory_order_relaxed)
#define wr(p, v)  atomic_store_explicit((p), (v), memory_order_relaxed)
#define inc(p, n) wr((p), rd(p) + (n))
#define dec(p, n) wr((p), rd(p) - (n))

/* ------------------------------------------------------------------ locks */

/** A lock that works between processes. Not robust: a process killed while it holds one leaves it
 *  held, as a CPU that dies inside the kernel would. */
struct lab_spin {
	_Atomic uint32_t held;
};

void lab_spin_wait(struct lab_spin *s);

static inline bool
lab_spin_trylock(struct lab_spin *s)
{
	return !rd(&s->held) && !atomic_exchange_explicit(&s->held, 1, memory_order_acquire);
}

static inline void
lab_spin_lock(struct lab_spin *s)
{
	if (lab_unlikely(!lab_spin_trylock(s)))
		lab_spin_wait(s);
}

static inline void
lab_spin_unlock(struct lab_spin *s)
{
	atomic_store_explicit(&s->held, 0, memory_order_release);
}

#pragma GCC visibility pop

#endif /* LAB_SPIN_H */
