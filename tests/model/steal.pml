/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Stealing from a CPU's stack of lib/page/percpu.c. The CPU pops and pushes by sequences: it reads the word, works, and
 * stores the whole word at the end, unless it was sent back to the start; thieves close the stack, have the sequence in
 * flight sent back (membarrier(2)), look again, take by compare-and-swap, and open it. The CPU opens it, too.
 *
 * Checked: a page has one owner, none is lost.
 *
 * Broken on purpose, each of which spin must find a fault in:
 *   NO_BARRIER   no sequence is sent back
 *   ANY_CLOSING  a thief whose swap failed goes on under whichever closing it finds
 *   NO_NUMBER    closings cannot be told from each other
 */
#define PAGES 2
#ifndef ROUNDS
#define ROUNDS 2 /* of the CPU; 3 are 20 million states */
#endif
#ifndef THIEVES
#define THIEVES 2
#endif
#define NUMBERS 8 /* more than there are closings */

/* the word */
byte count = PAGES;
bool closed;
byte number, pops;

byte closings;		 /* where the numbers come from */
byte slot[PAGES + 1];	 /* pages, from 1 on */
byte owners[PAGES + 1];
bool in_flight, sent_back; /* the CPU's sequence */
byte done;

#ifdef NO_NUMBER
#define SAME(a, b) true
#else
#define SAME(a, b) ((a) == (b))
#endif

inline own(p)
{
	owners[p]++;
	assert(owners[p] == 1)
}

inline begin()
{
	in_flight = true;
	sent_back = false;
	c = count;
	k = closed;
	n = number;
	v = pops
}

/* The one store that makes it happen. */
inline commit(new, popped)
{
	in_flight = false;
	count = new;
	closed = false;
	number = n;
	pops = v + popped
}

/* Let the CPU use its stack again, where the word is still of the closing that is meant. */
inline open_word()
{
	do
	:: atomic {
		if
		:: count == c && closed && SAME(number, n) && pops == v -> closed = false; break
		:: else
		fi
	   }
	   atomic { c = count; k = closed; m = number; w = pops }
	   if
	   :: !k || !SAME(m, n) || w != v -> break
	   :: else
	   fi
	od
}

proctype cpu()
{
	byte rounds = ROUNDS, mine, p, c, n, v, m, w;
	bool k;

	do
	:: rounds == 0 -> break
	:: rounds > 0 && mine == 0 ->
		rounds--;
	pop:	atomic { begin() };
		if
		:: k || c == 0 -> in_flight = false; goto failed
		:: else
		fi;
		p = slot[c - 1];
		atomic {
			if
			:: sent_back -> goto pop
			:: else -> commit(c - 1, 1); own(p); mine = p; p = 0
			fi
		}
	:: rounds > 0 && mine != 0 ->
		rounds--;
	push:	atomic { begin() };
		if
		:: k -> in_flight = false; goto failed
		:: else
		fi;
		slot[c] = mine;
		atomic {
			if
			:: sent_back -> goto push
			:: else -> commit(c + 1, 0); owners[mine]--; mine = 0
			fi
		}
	:: false ->
	failed:	atomic { c = count; k = closed; n = number; v = pops };
		if
		:: k -> open_word()
		:: else
		fi
	od;
	done++
}

proctype thief(byte rounds)
{
	byte c, n, v, m, w, p;
	bool k;

	do
	:: rounds == 0 -> break
	:: else ->
		rounds--;
	close:	atomic { c = count; k = closed; n = number; v = pops };
		if
		:: c == 0 -> goto next
		:: c != 0 && !k ->
			atomic { m = closings; closings = (closings + 1) % NUMBERS };
			atomic {
				if
				:: count == c && !closed && SAME(number, n) && pops == v ->
					closed = true;
					number = m;
					n = m
				:: else -> goto close
				fi
			}
		:: else
		fi;
#ifndef NO_BARRIER
		atomic { if :: in_flight -> sent_back = true :: else fi };
#endif
		atomic { c = count; k = closed; m = number; w = pops };
		if
		:: !k || !SAME(m, n) || w != v -> goto close
		:: else
		fi;
		do
		:: c == 0 -> break
		:: else ->
			p = slot[c - 1];
			atomic {
				if
				:: count == c && closed && SAME(number, n) && pops == v ->
					count = c - 1;
					c = c - 1;
					own(p)
				:: else ->
					c = count; k = closed; m = number; w = pops;
#ifdef ANY_CLOSING
					n = m;
					v = w;
#endif
					if
					:: !k || !SAME(m, n) || w != v -> goto next
					:: else
					fi
				fi
			}
			if
			:: true
			:: break /* enough */
			fi
		od;
		open_word();
	next:	atomic { c = 0; k = false; n = 0; v = 0; m = 0; w = 0; p = 0 }
	od;
	done++
}

/* At the end each page is somewhere. */
proctype judge()
{
	byte i, at[PAGES + 1];

	done == THIEVES + 1;
	i = 0;
	do
	:: i == count -> break
	:: else -> at[slot[i]]++; i++
	od;
	i = 1;
	do
	:: i > PAGES -> break
	:: else -> assert(at[i] + owners[i] == 1); i++
	od
}

init
{
	atomic {
		slot[0] = 1;
		slot[1] = 2;
		run cpu();
		run thief(1);
		run thief(2);
		run judge()
	}
}
