# The default scenario: the same bursts of jumbo frames over a fresh and over an aged zone, and, with the
# same ageing and as much memory, over the labyrinth allocator.
#
# Jumbo frames need mbufs of 16 KiB: blocks of order 2, which only the free lists' higher orders can
# give. The receiver holds each packet for 5 ms, so that a burst draws on the zone. The marks are
# Linux's for a zone of this size, kswapd runs, and tenants replace 1000 blocks a second. Time is
# virtual: the same seed gives the same packets, the same refusals and the same drops.
set time virtual
pool create jumbo,n=4096,size=9344,cache=0,ops=labyrinth_buddy,min_free_kbytes=auto
# Without the zone's own caches, as the first: what they hold depends on the machine's CPUs.
pool create lab,n=4096,size=9344,cache=0,ops=labyrinth,pcp=off,min_free_kbytes=auto
set fwd noisy
set noisy hold 5ms
set noisy buffer 4096
set kswapd on
set correlation gap 3
# 340,000 frames of 9000 bytes a second are 24 Gbit/s, for 4 ms in 80 on average.
port attach wire:rx0,rxd=512,pool=jumbo,arrival=onoff:rate=340k,on=4ms,off=76ms,size=9000,flows=64
port start all

arm begin fresh
run 8s
arm end

# The ring is posted when the arm begins; then the zone ages around it, to a stated state.
arm begin aged
age scatter occupancy=0.7 unusable=800@2
age churn-rate 1000
run 8s
show frag
arm end

# The same workload twice, without a state to be steered to: what each allocator makes of the same
# requests is the allocator's own doing. First Linux's, then the other.
arm begin buddy
age scatter occupancy=0.7
age churn-rate 1000
run 8s
arm end
age release all
port stop all
port detach 0
port attach wire:rx0,rxd=512,pool=lab,arrival=onoff:rate=340k,on=4ms,off=76ms,size=9000,flows=64
port start all
# What may be moved is moved together in the background: see docs/placement.md.
set compaction on
arm begin labyrinth
age scatter occupancy=0.7 pool=lab
age churn-rate 1000 lab
run 8s
arm end

arm compare fresh aged ageing the zone
arm compare buddy labyrinth the labyrinth allocator instead of buddy
arm reduction buddy labyrinth 99 the labyrinth allocator instead of buddy
show arms
report write
