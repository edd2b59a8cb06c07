# The reserve of blocks: the default scenario's packets and ageing over zones of the labyrinth allocator that keep none,
# 64 and 256 blocks for atomic requests alone. Without compaction, which would leave the reserve little
# to do: that is reserve_compaction.cmd.
set time virtual
pool create none,n=4096,size=9344,cache=0,ops=labyrinth,pcp=off,min_free_kbytes=auto,reserve_blocks=0
pool create some,n=4096,size=9344,cache=0,ops=labyrinth,pcp=off,min_free_kbytes=auto,reserve_blocks=64
pool create many,n=4096,size=9344,cache=0,ops=labyrinth,pcp=off,min_free_kbytes=auto,reserve_blocks=256
set fwd noisy
set noisy hold 5ms
set noisy buffer 4096
set kswapd on
set correlation gap 3

port attach wire:rx0,rxd=512,pool=none,arrival=onoff:rate=340k,on=4ms,off=76ms,size=9000,flows=64
port start all
arm begin none
age scatter occupancy=0.7 pool=none
age churn-rate 1000 none
run 8s
arm end
age release all none
port stop all
port detach 0

port attach wire:rx0,rxd=512,pool=some,arrival=onoff:rate=340k,on=4ms,off=76ms,size=9000,flows=64
port start all
arm begin some
age scatter occupancy=0.7 pool=some
age churn-rate 1000 some
run 8s
arm end
age release all some
port stop all
port detach 0

port attach wire:rx0,rxd=512,pool=many,arrival=onoff:rate=340k,on=4ms,off=76ms,size=9000,flows=64
port start all
arm begin many
age scatter occupancy=0.7 pool=many
age churn-rate 1000 many
run 8s
arm end

arm compare none some 64 blocks in reserve
arm compare none many 256 blocks in reserve
show arms
report write
