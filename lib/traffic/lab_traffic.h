/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_TRAFFIC_H
#define LAB_TRAFFIC_H

/**
 * @file lab_traffic.h
 * Packets whose loss can be believed: a clock, arrival processes, stamped frames with a generator
 * and a sink, and the *wire*, a software NIC on the net_ring PMD.
 *
 * Units. Times are uint64_t nanoseconds, rates packets or bits a second, lengths bytes of an
 * Ethernet frame without its FCS (DPDK's pkt_len). A flow is an index from 0.
 *
 * Errors. Functions return 0 or a negative errno; those that take `err, len` also write one line
 * that says what is wrong and with which part of the input.
 *
 * Contexts. Objects have no locks. Each function says which thread may call it: *control* (no
 * other thread uses the object), *poll* (the lcore that polls the queue), *wire* (the lcore that
 * steps the wire), or *any*. In virtual time all of them are one thread.
 *
 * Randomness. Everything random is drawn from a seed: the same configuration gives the same
 * arrivals, whatever the receiver does.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rte_mbuf;
struct rte_mempool;
struct lab_hist;

/* ------------------------------------------------------------------ clock */

/** What time is. */
enum lab_clock_kind {
	LAB_CLOCK_VIRTUAL, /**< stands still until lab_clock_advance() */
	/** CLOCK_MONOTONIC, which the vDSO computes from the TSC: one time base for all processes
	 * of the machine, so that a stamp of one process can be read in another. */
	LAB_CLOCK_REAL,
};

/** A clock; plain data, set up by lab_clock_init(). */
struct lab_clock {
	enum lab_clock_kind kind; /**< virtual or real */
	uint64_t now_ns;          /**< virtual time; written by one thread */
};

/** Set a clock up; virtual time begins at 0. Control. */
void lab_clock_init(struct lab_clock *c, enum lab_clock_kind kind);

/** Time in ns: virtual clocks start at 0, real ones at the machine's start. Any thread. */
uint64_t lab_clock_now(const struct lab_clock *c);

/** Let virtual time pass. @return 0; -EINVAL for a real clock or past the end of time. */
int lab_clock_advance(struct lab_clock *c, uint64_t ns);

/* --------------------------------------------------------------- arrivals */

#define LAB_FRAME_MIN 60u    /**< Ethernet's minimum without the FCS; a stamp fits */
#define LAB_FRAME_MAX 9600u  /**< largest jumbo frame */
#define LAB_FLOWS_MAX 65536u /**< flows of one process */

/** When frames arrive. */
enum lab_arrival_kind {
	LAB_ARRIVAL_CONSTANT, /**< one frame every 1/rate */
	LAB_ARRIVAL_POISSON,  /**< exponential gaps with mean 1/rate */
	LAB_ARRIVAL_ONOFF, /**< bursts at `rate` for on_ns, then silence for off_ns; a burst comes
			      first */
	LAB_ARRIVAL_PCAP,  /**< the times of a capture */
};

/** How long they are. */
enum lab_size_kind {
	LAB_SIZE_FIXED, /**< size_min */
	LAB_SIZE_RANGE, /**< uniform in size_min..size_max */
	LAB_SIZE_IMIX,  /**< 7:4:1 of 64, 594 and 1518 bytes */
	LAB_SIZE_PCAP,  /**< the lengths of the capture */
};

/** An arrival process. lab_arrival_config_default() or lab_arrival_parse() fill it. */
struct lab_arrival_config {
	enum lab_arrival_kind kind; /**< when */
	double rate;     /**< packets a second, over 0 and at most 1e9; onoff: within a burst */
	uint64_t on_ns;  /**< onoff: mean length of a burst; every burst has at least one frame */
	uint64_t off_ns; /**< onoff: mean silence */
	bool fixed;      /**< onoff: periods of exactly the mean, else exponential */
	enum lab_size_kind size_kind; /**< how long */
	uint32_t size_min;            /**< bytes, LAB_FRAME_MIN..LAB_FRAME_MAX */
	uint32_t size_max;            /**< range: the longest, bytes */
	uint32_t flows; /**< 1..LAB_FLOWS_MAX; pcap: packets are spread over them by 5-tuple */
	double zipf; /**< 0: flows are equally likely; else flow k has weight 1/(k+1)^zipf, at most
			10 */
	uint64_t count;      /**< end after so many arrivals; 0: none */
	uint64_t seed;       /**< of gaps, sizes and flows */
	char pcap_file[256]; /**< pcap */
	double speed;        /**< pcap: 2 halves all gaps; over 0 */
	uint32_t loop;       /**< pcap: passes over the file; 0: for ever */
};

/** Poisson, 1 Mpps, 64 bytes, 16 flows, seed 1; pcap fields: speed 1, one pass. */
void lab_arrival_config_default(struct lab_arrival_config *cfg);

/**
 * Read the text form: `kind:key=value,...` over the defaults.
 *
 *     constant:rate=1M,size=64
 *     poisson:rate=2e6,size=imix,flows=256,zipf=1.1,seed=3
 *     onoff:rate=2M,on=5ms,off=95ms,periods=fixed,size=9000,flows=64,seed=7
 *     pcap:file=trace.pcap,speed=2,loop=0,flows=64
 *
 * Keys: rate (suffix k, M, G), on, off (ns, us, ms, s; a unit is needed), periods (exp, fixed),
 * size (bytes, `a-b`, `imix`, `pcap`), flows, zipf, count, seed, file, speed, loop. A key that the
 * kind does not use, a key given twice and trailing text are errors.
 * @return 0; -EINVAL with the reason in err (may be NULL), cfg untouched.
 */
int lab_arrival_parse(const char *text, struct lab_arrival_config *cfg, char *err, size_t len);

/** Check a configuration that was filled by hand. @return 0 or -EINVAL with the reason. */
int lab_arrival_check(const struct lab_arrival_config *cfg, char *err, size_t len);

/** The text form of a configuration; lab_arrival_parse() reads the same one back. @return as
 * snprintf. */
int lab_arrival_format(const struct lab_arrival_config *cfg, char *out, size_t len);

/** One frame that arrives. */
struct lab_arrival {
	uint64_t t_ns;  /**< since the start of the process; never falls */
	uint32_t len;   /**< bytes */
	uint32_t flow;  /**< from 0, below the configuration's flows */
	uint32_t index; /**< pcap: which packet of the capture; else 0 */
};

struct lab_arrivals; /**< a running process */

/** Start a process; pcap: loads the file. Control. @return 0, -EINVAL, -ENOMEM, or
 * lab_pcap_load()'s. */
int lab_arrivals_create(
	struct lab_arrivals **a, const struct lab_arrival_config *cfg, char *err, size_t len);
void lab_arrivals_destroy(struct lab_arrivals *a); /**< NULL is accepted */

/** The next arrival. The owner's thread. @return false at the end of the process. */
bool lab_arrivals_next(struct lab_arrivals *a, struct lab_arrival *out);

/** Mean rate in the long run in packets a second, from the configuration; pcap: of the file. */
double lab_arrivals_mean_rate(const struct lab_arrivals *a);

/* ------------------------------------------------------------------- pcap */

/** One captured packet. */
struct lab_pcap_packet {
	uint64_t t_ns; /**< since the first packet; a step back in the file is kept at the last time
			*/
	uint32_t len;  /**< on the wire, 1..LAB_FRAME_MAX (longer ones are refused) */
	uint32_t caplen; /**< bytes in the file, at most len */
	uint32_t hash;   /**< of the 5-tuple, of the addresses without ports, or of the MACs */
	uint32_t offset; /**< of its bytes in data */
};

/** A capture in memory. */
struct lab_pcap {
	struct lab_pcap_packet *packets; /**< in the order of the file */
	uint8_t *data;                   /**< the captured bytes of all */
	size_t nr_packets;               /**< of packets */
	size_t data_len;                 /**< bytes of data */
	size_t stepped_back;             /**< packets whose time stood before their predecessor's */
};

#define LAB_PCAP_MAX_PACKETS (4u << 20)  /**< that a capture may have */
#define LAB_PCAP_MAX_BYTES   (1ul << 30) /**< captured bytes that it may have */

/**
 * Load a capture (pcap or pcapng, micro- or nanoseconds, either byte order) by libpcap.
 * @return 0; -errno of opening it; -EPROTONOSUPPORT (link type is not Ethernet), -EBADMSG (not a
 * capture, or cut off in the middle of a packet: the error tells after how many), -ENODATA (no
 * packet), -E2BIG (over LAB_PCAP_MAX_PACKETS or LAB_PCAP_MAX_BYTES), -ENOMEM.
 */
int lab_pcap_load(struct lab_pcap *p, const char *file, char *err, size_t len);
int lab_pcap_load_stream(struct lab_pcap *p, FILE *f, char *err, size_t len); /**< closes f */
/** Free what was loaded; p is empty then. */
void lab_pcap_free(struct lab_pcap *p);

/* ----------------------------------------------------------------- stamps */

/** What a stamped frame is. */
enum lab_stamp_kind {
	LAB_STAMP_DATA = 1, /**< one of the numbered frames */
	LAB_STAMP_END = 2, /**< the flow is over; seq is the number of data frames that were sent */
};

/**
 * What a frame carries in the first LAB_STAMP_LEN bytes of its UDP payload. On the wire, big
 * endian: magic 16 bits, run 8, kind 8, flow 16, seq 48, t_ns 48 bits, so that it fits Ethernet's
 * shortest frame.
 */
struct lab_stamp {
	/** Tells a new run of a sender, whose numbers start at 0 again, from the one before; it differs
	 *  from the last two, as frames of the previous run may still be on their way. */
	uint8_t run;
	uint8_t kind;  /**< enum lab_stamp_kind */
	uint32_t flow; /**< below LAB_FLOWS_MAX */
	uint64_t seq;  /**< 0, 1, ... in each flow; modulo 2^48 */
	uint64_t t_ns; /**< when it was sent; modulo 2^48 (78 hours) */
};

#define LAB_STAMP_LEN      18u                /**< bytes */
#define LAB_STAMP_MAGIC    0x4c59u            /**< its first two bytes */
#define LAB_STAMP_UDP_PORT 19545u             /**< destination; sources are 1024 + flow mod 32768 */
#define LAB_STAMP_MASK48   ((1ull << 48) - 1) /**< of seq and t_ns */

/**
 * Write headers, stamp and zeroed rest of a frame of len bytes: Ethernet, IPv4 (valid checksum),
 * UDP (no checksum, as RFC 768 allows), addresses of the flow from 198.18.0.0/15 (RFC 2544).
 * @param frame len bytes, written.
 * @param len its bytes, LAB_FRAME_MIN at least.
 * @param s what it says.
 * @return 0 or -EINVAL (len, flow). Any thread.
 */
int lab_stamp_frame(uint8_t *frame, uint32_t len, const struct lab_stamp *s);

/**
 * Read a stamp back from a frame that may be anything: untagged or with up to two VLAN tags, IPv4
 * with options. The stamp must lie in the first segment.
 * @return 0; -ENOMSG when the frame carries no stamp. Any thread.
 */
int lab_stamp_read(const struct rte_mbuf *m, struct lab_stamp *out);
/** The same from len bytes that lie in one piece. */
int lab_stamp_read_bytes(const uint8_t *frame, uint32_t len, struct lab_stamp *out);

/* -------------------------------------------------------------- generator */

/** Stamped frames at the pace of an arrival process, for the forward mode `gen`. */
struct lab_gen;

/** Of lab_gen_create(); copied. */
struct lab_gen_config {
	struct lab_arrival_config arrival; /**< its times, sizes and flows */
	struct rte_mempool *pool; /**< of the mbufs; longer frames than its data room are chained */
	const struct lab_clock *clock; /**< that its times are read from; outlives the generator */
	uint32_t flow_base; /**< flows base..base+flows-1; generators of one sink take disjoint ones
			     */
	uint8_t run;        /**< see struct lab_stamp */
	uint64_t catch_up_ns; /**< how far behind it may fall and still catch up; 0: 1 ms */
	uint8_t src_mac[6];   /**< all zero: 02:00:00:00:00:01 */
	uint8_t dst_mac[6];   /**< all zero: 02:00:00:00:00:02 */
};

/** Totals since creation. */
struct lab_gen_stats {
	uint64_t packets;    /**< given out and not taken back: what was sent */
	uint64_t bytes;      /**< of these */
	uint64_t unsent;     /**< taken back by lab_gen_unsent() */
	uint64_t nombuf;     /**< times that the pool was empty; the frame waits */
	uint64_t slipped_ns; /**< how much later than planned the rest of the run is: beyond
				    catch_up_ns */
};

/** Control. @return 0, -EINVAL (also: pcap kind without flows), -ENOMEM, lab_pcap_load()'s. */
int lab_gen_create(struct lab_gen **g, const struct lab_gen_config *cfg, char *err, size_t len);
/** Free it; frames given out stay their owners'. NULL is accepted. */
void lab_gen_destroy(struct lab_gen *g);

/** The frames that are due now, at most n. One thread.
 * @return mbufs filled, owned by the caller. */
uint16_t lab_gen_burst(struct lab_gen *g, struct rte_mbuf **pkts, uint16_t n);

/** Take back the tail of the last burst that tx_burst refused: the mbufs are freed and their
 * sequence numbers are given out again, so that the sink sees no loss where nothing was sent. The
 * same thread. */
void lab_gen_unsent(struct lab_gen *g, struct rte_mbuf **pkts, uint16_t n);

/** End-of-flow frames of up to n flows from flow *next on, which it moves. May be sent again and
 * again.
 *  @return mbufs filled; 0 when *next is past the last flow, or the pool is empty. */
uint16_t lab_gen_end(struct lab_gen *g, uint32_t *next, struct rte_mbuf **pkts, uint16_t n);

bool lab_gen_done(const struct lab_gen *g); /**< the arrival process has ended */
uint64_t lab_gen_flow_sent(const struct lab_gen *g, uint32_t flow); /**< flow counts from 0 */
void lab_gen_stats_get(const struct lab_gen *g, struct lab_gen_stats *out); /**< any thread */

/* ------------------------------------------------------------------- sink */

/** Counts what stamped frames tell. One sink a receiving thread; a flow stays with one (RSS). */
struct lab_sink;

/** Of lab_sink_create(). */
struct lab_sink_config {
	uint32_t flows;  /**< flow ids below it are known, others are counted as foreign; 0: 4096 */
	uint32_t window; /**< numbers remembered a flow, a power of two, 64..65536; 0: 1024 */
};

/**
 * Totals over all flows, or of one flow. Always expected = unique + lost, and
 * received = unique + duplicates + beyond_window.
 */
struct lab_sink_stats {
	uint64_t received; /**< data frames with a stamp */
	uint64_t bytes;    /**< of them */
	/** That the sender is known to have sent: highest number + 1, or the total of an end-of-flow
	 *  frame, since the start or the last reset. */
	uint64_t expected;
	uint64_t unique;     /**< different frames that came */
	uint64_t lost;       /**< expected and not come (yet): a late frame is taken out again */
	uint64_t duplicates; /**< came before */
	uint64_t reordered;  /**< came after a higher number (RFC 4737 type-P-reordered) */
	uint64_t max_displacement; /**< highest number so far less its own, at most */
	/** Too late to tell late from double: lost may be too high by it. */
	uint64_t beyond_window;
	uint64_t ends;      /**< flows whose sender said its total */
	uint64_t runs;      /**< times that a flow's sender started anew */
	uint64_t unstamped; /**< frames without a stamp (total only) */
	uint64_t foreign; /**< stamped, but flow id unknown or of a run that is over (total only) */
	uint64_t negative_latency; /**< stamped later than received: clocks differ (total only) */
};

int lab_sink_create(
	struct lab_sink **s, const struct lab_sink_config *cfg); /**< cfg NULL: defaults */
/** Free it. NULL is accepted. */
void lab_sink_destroy(struct lab_sink *s);

/** Look at n received frames; they stay the caller's. now_ns on the sender's clock. One thread. */
void lab_sink_rx(struct lab_sink *s, struct rte_mbuf *const *pkts, uint16_t n, uint64_t now_ns);

/** The same for one stamp that was read already. */
void lab_sink_stamp(
	struct lab_sink *s, const struct lab_stamp *st, uint32_t bytes, uint64_t now_ns);

void lab_sink_stats_get(const struct lab_sink *s, struct lab_sink_stats *out); /**< any thread */
/** @return 0; -ENOENT when the flow was never seen. */
int lab_sink_flow_get(const struct lab_sink *s, uint32_t flow, struct lab_sink_stats *out);
/** Add one sink's totals to another's (max_displacement: the greater). */
void lab_sink_stats_add(struct lab_sink_stats *sum, const struct lab_sink_stats *st);
/** Count anew from here: frames before each flow's highest number are no longer expected.
 * Receiver's thread. */
void lab_sink_reset(struct lab_sink *s);
/** Latency of all data frames in ns; see lab_stats.h. Any thread may read. */
const struct lab_hist *lab_sink_latency(const struct lab_sink *s);

/* ------------------------------------------------------------------- wire */

/**
 * The software NIC. Its port is an ordinary ethdev of the net_ring PMD: configure, set up queues,
 * start and poll it as any other; release it with lab_wire_destroy() and not with
 * rte_eth_dev_close().
 *
 * Rx. Each queue has rxd descriptors. A descriptor is *posted* (has an empty mbuf), *filled* (has
 * a packet that the application has not taken) or *bare* (has no mbuf). An arrival takes a posted
 * descriptor (several with scatter) and writes the frame into its mbuf. After every rx burst, on
 * the polling lcore, an Rx callback posts new mbufs if at least refill_thresh descriptors are bare
 * or a refill was refused before, as PMDs do; the allocation is atomic: bulk first, then
 * one by one, and at the first refusal it gives up until the next poll.
 *
 * Why an arrival was lost. One that finds too few posted descriptors is lost for exactly one cause:
 * - memory, under the name of the gate that refused, if it would have found a descriptor had the
 *   refused refills succeeded;
 * - `ring_full` otherwise: every descriptor is filled, or waits for a poll or for the threshold.
 * The core was too slow or the ring too short, and no amount of memory would have taken the packet.
 *
 * Bare descriptors alone do not prove that memory was short: up to refill_thresh - 1 of them are a
 * batch not yet due, and those freed since the last poll have not been tried. So the wire keeps
 * R, the descriptors that a refill wanted and was refused, and V, those of them that losses already
 * charged to memory would be occupying now. An arrival is charged to memory while V < R, and raises
 * V. A poll lowers V by the room left in its burst, as the application would have taken these
 * packets too; and V never exceeds what fits beside the packets that are really there. Without V a
 * short outage of one descriptor could be blamed for a backlog of thousands. What the rule assumes:
 * the application would have polled at the same times. In real time the two lcores see each other's
 * counters some tens of ns late, which can move the cause of an arrival at the edge, never the sum.
 *
 * Tx. A burst goes to the Tx ring of txd descriptors; the wire sends at tx_rate. A sent mbuf keeps
 * its descriptor until a later tx_burst of the queue frees it, as PMDs do. A full ring takes fewer
 * packets, as any NIC; the application counts those it drops.
 *
 * Ledger. offered = taken + filled + all drops, at every moment of virtual time and whenever the
 * wire stands still.
 */
struct lab_wire;

#define LAB_WIRE_MAX_QUEUES 16u /**< Rx queues, and as many Tx queues */
#define LAB_WIRE_MAX_CAUSES 16u /**< memory causes that a wire can be told */

/** Causes of the wire itself; memory causes follow them. */
enum lab_wire_drop {
	LAB_WIRE_RING_FULL, /**< "ring_full": no descriptor, and not for want of memory */
	LAB_WIRE_TOO_BIG, /**< "too_big": longer than the data room of one mbuf, without scatter */
	LAB_WIRE_STOPPED, /**< "stopped": filled, but thrown away by lab_wire_stop() */
	LAB_WIRE_MEMORY,  /**< first memory cause: cause_names[0] */
};
/** Entries of lab_wire_stats.drops: the wire's own causes, the memory causes and "nombuf". */
#define LAB_WIRE_MAX_DROPS (LAB_WIRE_MEMORY + LAB_WIRE_MAX_CAUSES + 1)

/** Of lab_wire_create(); copied, with the strings. */
struct lab_wire_config {
	const char *name;       /**< of the port: "net_ring_NAME"; at most 20 characters; copied */
	int socket;             /**< NUMA node of the rings, -1: any */
	uint16_t nb_queues;     /**< Rx and Tx queues, 0: 1 */
	uint16_t rxd;           /**< Rx descriptors a queue, 1..32768; 0: 1024 */
	uint16_t txd;           /**< Tx descriptors a queue, likewise */
	uint16_t refill_thresh; /**< 1..rxd; 0: 32, or a quarter of a ring below 128 */
	/** Of the Rx mbufs: one a queue, or pools[1] NULL: the first for all. A pool that several
	 * queues share must allow several consumers. */
	struct rte_mempool *pools[LAB_WIRE_MAX_QUEUES];
	struct lab_arrival_config arrival; /**< what comes in */
	const struct lab_clock *clock;     /**< outlives the wire */
	uint64_t tx_rate; /**< bits a second with preamble, gap and FCS (24 bytes a frame); 0: no
			       limit */
	bool scatter;     /**< longer frames take several descriptors instead of being dropped */
	/** pcap kind: frames carry the captured bytes (zeros after them) and no stamp. */
	bool pcap_contents;
	uint8_t run;        /**< of the stamps */
	uint32_t flow_base; /**< of the stamps */
	/** Real time: how far the arrivals may lie behind the clock and still be made up for, in one
	 *  burst. More than that is no property of a network but of a wire lcore that did not run: the
	 *  rest of the plan is put off (slipped_ns). 0: 100 us; UINT64_MAX: never put off. */
	uint64_t catch_up_ns;
	/** Sees every frame that was sent, on the wire's lcore; NULL: none. */
	struct lab_sink *tx_sink;

	/** Names of memory causes. An entry "nombuf" for refusals without a known cause follows
	 * them. */
	const char *const *cause_names;
	unsigned int nb_causes; /**< of cause_names */
	/** Called on the refilling lcore right after a refused allocation from mp. @return an index
	 * into cause_names; negative: "nombuf". NULL: always "nombuf". */
	int (*cause_fn)(void *arg, struct rte_mempool *mp);
	void *cause_arg; /**< for cause_fn() */
};

/** Totals since creation, and levels of now. */
struct lab_wire_stats {
	uint64_t offered;                   /**< arrivals */
	uint64_t offered_bytes;             /**< of them */
	uint64_t taken;                     /**< packets given to rx_burst's caller */
	uint64_t taken_bytes;               /**< of them */
	uint64_t drops[LAB_WIRE_MAX_DROPS]; /**< by cause, see lab_wire_drop_name() */
	uint64_t filled;                    /**< packets waiting in the Rx ring: in flight */
	uint64_t
		posted; /**< descriptors with an empty mbuf; with the next two rxd times the queues */
	uint64_t filled_descs; /**< with a packet */
	uint64_t bare;         /**< without an mbuf */
	uint64_t bare_refused; /**< of the bare ones those that a refill was refused */
	uint64_t refills;      /**< mbufs posted */
	/** Refill rounds that ended with a refusal (a NIC's rx_nombuf), by memory cause: index 0 is
	 * cause_names[0] */
	uint64_t refill_refused[LAB_WIRE_MAX_CAUSES + 1];
	uint64_t tx_packets;   /**< sent */
	uint64_t tx_bytes;     /**< of them */
	uint64_t tx_pending;   /**< in the Tx rings or being sent */
	uint64_t tx_unfreed;   /**< sent, but the mbuf waits for the next tx_burst to be freed */
	uint64_t tx_discarded; /**< accepted by tx_burst, thrown away by lab_wire_stop() */
	/* Real time: whether the wire's lcore kept up. */
	uint64_t max_lag_ns; /**< greatest delay of an arrival behind its time */
	uint64_t late;       /**< arrivals more than 20 us behind theirs */
	uint64_t slipped_ns; /**< by how much the plan was put off, see catch_up_ns */
};

/**
 * Make the port. Needs EAL and the net_ring driver. Control.
 * @param w out.
 * @param cfg copied.
 * @param port_id out.
 * @param err out, may be NULL: what is wrong.
 * @param len bytes at err.
 * @return 0; -EINVAL (the text says what), -EEXIST (a port of that name), -ENOMEM,
 * lab_pcap_load()'s.
 */
int lab_wire_create(struct lab_wire **w, const struct lab_wire_config *cfg, uint16_t *port_id,
	char *err, size_t len);

/**
 * Begin: post the Rx rings and let arrivals count from now. The port is started. Control.
 * Posting may be refused in part, unlike with a NIC, which would not start: that is the case under
 * study.
 * @return 0; -EALREADY.
 */
int lab_wire_start(struct lab_wire *w);

/** End: no arrivals any more; frees what is posted, filled (counted as "stopped") and in the Tx
 * rings (counted in tx_discarded). Nobody polls, nobody steps. May be started again: the arrivals
 * go on where they were. Control. */
void lab_wire_stop(struct lab_wire *w);

/** Stop, release port and rings, free. Nobody polls; mbufs taken by the application stay its own.
 * NULL is accepted. Control. */
void lab_wire_destroy(struct lab_wire *w);

/**
 * Everything that happens on the wire up to now_ns: arrivals, frames sent. Wire.
 * Virtual time: called before each poll, with lab_clock_now().
 * @return events (arrivals and frames sent).
 */
unsigned int lab_wire_step(struct lab_wire *w, uint64_t now_ns);

/** Real time: step until lab_wire_quit(). An rte_lcore_function_t: arg is the wire. @return 0. */
int lab_wire_run(void *wire);
/** Let lab_wire_run() return. Any thread; lab_wire_start() takes it back. */
void lab_wire_quit(struct lab_wire *w);

/** Time of the next arrival or end of a sending, UINT64_MAX if none: how far virtual time can jump.
 * Wire. */
uint64_t lab_wire_next_event(const struct lab_wire *w);
/** Is a descriptor bare because its refill was refused, so that each poll tries again? Any thread. */
bool lab_wire_starved(const struct lab_wire *w);
bool lab_wire_done(const struct lab_wire *w); /**< the arrival process has ended. Any thread. */

/** Sums over all queues. Any thread; exact when the wire stands still, else each counter by itself.
 */
void lab_wire_stats_get(const struct lab_wire *w, struct lab_wire_stats *out);
/** One queue (without max_lag_ns, late and slipped_ns). @return 0 or -EINVAL. */
int lab_wire_queue_stats_get(const struct lab_wire *w, uint16_t queue, struct lab_wire_stats *out);
/** Arrivals offered on a flow so far: what a sink must account for. */
uint64_t lab_wire_flow_offered(const struct lab_wire *w, uint32_t flow);

unsigned int lab_wire_nb_drops(const struct lab_wire *w); /**< entries of drops[] in use */
const char *lab_wire_drop_name(
	const struct lab_wire *w, unsigned int drop); /**< NULL past the end */
/** Id of its ethdev port. */
uint16_t lab_wire_port(const struct lab_wire *w);
/** As configured; the wire's own. */
const char *lab_wire_name(const struct lab_wire *w);

/** Check ledger and rings of a wire that stands still; why (may be NULL) says what is wrong.
 * Control. */
bool lab_wire_is_valid(const struct lab_wire *w, char *why, size_t len);

#ifdef __cplusplus
}
#endif

#endif /* LAB_TRAFFIC_H */
