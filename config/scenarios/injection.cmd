# Randomised injection: the same traffic, and a refusal of 98% of the atomic requests drawn by lot.
# (A refused refill is tried again at the next poll, so a few refusals cost nothing.)
# What the second arm loses more was lost because of the refusals and of nothing else.
set time virtual
pool create jumbo,n=4096,size=9344,cache=0,ops=labyrinth_buddy,min_free_kbytes=auto
set fwd noisy
set noisy hold 2ms
set noisy buffer 4096
set correlation gap 3
port attach wire:rx0,rxd=64,pool=jumbo,arrival=onoff:rate=340k,on=4ms,off=76ms,size=9000,flows=64
port start all

arm begin off
run 4s
arm end

arm begin on
inject probability 0.98
run 4s
inject off
arm end

arm compare off on injecting refusals
show arms
report write
