/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * The protocol of lib/page/frames.c: rows of free bits under a tree of versioned promises.
 * Two children of two frames each, a leaf word a child, a root word over both. Each process takes
 * and frees frames; any of them may be delayed for ever at any step, which is what checking every
 * interleaving for safety means.
 *
 * Checked: no frame has two owners; a search that gives up did so at an instant in which no frame
 * was free whose free had returned ("never refuses falsely"); a search ends.
 *
 *     spin -a frames.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan
 *
 * With -DNO_VERSION the lowering ignores the version: spin must find the lost frame then, or the
 * model proves nothing.
 */
#define CHILDREN 2
#define FRAMES	 2 /* a child */
#define RETRIES 16 /* more restarts of one search than the other processes can cause */

#ifndef PROCS
#define PROCS 3
#endif
#ifndef ROUNDS
#define ROUNDS 1 /* 7.7 million states; 2 is over 50 million */
#endif

typedef word { byte val[CHILDREN]; byte ver }

byte row[CHILDREN];  /* bit set: free */
word leaf[CHILDREN]; /* one slot used: val[0] */
word root;

/* What the program does not have: who owns a frame, which frees have returned. */
byte owners[4];
byte taken[4];	/* how often it was taken */
bool avail[4];	/* free, and its free has returned */

#define frame(c, i) ((c) * FRAMES + (i))

inline raise(c)
{
	/* leaf: read the row, then count the version */
	v = (row[c] != 0);
	do
	:: atomic { old = leaf[c].val[0]; ver = leaf[c].ver }
	   atomic {
		if
		:: leaf[c].val[0] == old && leaf[c].ver == ver ->
			leaf[c].val[0] = (old > v -> old : v);
			leaf[c].ver++;
			v = leaf[c].val[0];
			break
		:: else
		fi
	   }
	od;
	do
	:: atomic { old = root.val[c]; old2 = root.val[1 - c]; ver = root.ver }
	   atomic {
		if
		:: root.val[c] == old && root.val[1 - c] == old2 && root.ver == ver ->
			root.val[c] = (old > v -> old : v);
			root.ver++;
			break
		:: else
		fi
	   }
	od
}

#ifdef NO_VERSION
#define SAME(a, b) true
#else
#define SAME(a, b) ((a) == (b))
#endif

/* done: whether the level above need not be looked at */
inline lower_leaf(c, done)
{
	done = false;
	do
	:: atomic { old = leaf[c].val[0]; ver = leaf[c].ver }
	   v = (row[c] != 0);
	   if
	   :: old <= v -> done = true; break
	   :: else
	   fi;
	   atomic {
		if
		:: leaf[c].val[0] == old && SAME(leaf[c].ver, ver) -> leaf[c].val[0] = v; break
		:: else
		fi
	   }
	od
}

inline lower_root(c)
{
	do
	:: atomic { old = root.val[c]; old2 = root.val[1 - c]; ver = root.ver }
	   v = leaf[c].val[0];
	   if
	   :: old <= v -> break
	   :: else
	   fi;
	   atomic {
		if
		:: root.val[c] == old && root.val[1 - c] == old2 && SAME(root.ver, ver) ->
			root.val[c] = v;
			break
		:: else
		fi
	   }
	od
}

/* mine = the frame, or NONE */
#define NONE 255

inline take()
{
	mine = NONE;
	tries = 0;
	do
	:: atomic {
		tries++;
		assert(tries < RETRIES);
		if
		:: root.val[0] == 0 && root.val[1] == 0 ->
			assert(!avail[0] && !avail[1] && !avail[2] && !avail[3]);
			break
		:: root.val[0] -> c = 0
		:: root.val[1] -> c = 1
		fi
	   }
	   if
	   :: leaf[c].val[0] == 0 -> lower_root(c)
	   :: else ->
		atomic { seen = row[c] }
		if
		:: seen == 0 ->
			lower_leaf(c, flag);
			if
			:: !flag -> lower_root(c)
			:: else
			fi
		:: else ->
			atomic {
				if
				:: row[c] == seen ->
					at = (seen & 1 -> 0 : 1);
					row[c] = row[c] & ~(1 << at);
					mine = frame(c, at);
					avail[mine] = false;
					taken[mine]++;
					owners[mine]++;
					assert(owners[mine] == 1)
				:: else
				fi
			}
			if
			:: mine != NONE ->
				lower_leaf(c, flag);
				if
				:: !flag -> lower_root(c)
				:: else
				fi;
				break
			:: else
			fi
		fi
	fi
	od
}

inline give()
{
	atomic {
		c = mine / FRAMES;
		at = mine % FRAMES;
		owners[mine]--;
		gen = taken[mine];
		row[c] = row[c] | (1 << at)
	}
	raise(c);
	atomic {
		/* it has returned: unless somebody took the frame meanwhile, it must be found */
		if
		:: taken[mine] == gen && (row[c] & (1 << at)) -> avail[mine] = true
		:: else
		fi;
		mine = NONE
	}
}

proctype worker(byte rounds)
{
	byte mine = NONE, c, at, v, old, old2, ver, seen, tries, gen;
	bool flag;

	do
	:: rounds > 0 ->
		rounds--;
		take();
		if
		:: mine != NONE -> give()
		:: else
		fi
	:: else -> break
	od
}

init
{
	atomic {
		row[0] = 1;
		leaf[0].val[0] = 1;
		root.val[0] = 1;
		avail[0] = true;
		run worker(ROUNDS);
		run worker(ROUNDS);
#if PROCS > 2
		run worker(1)
#endif
	}
}
