# The reserve as an intervention: tenants fill the zone while bursts come in. Without a reserve they
# leave next to nothing; with min_free_kbytes set to Linux's value for transparent huge pages, GFP_KERNEL
# stops at the marks and GFP_ATOMIC may go on to 3/8 of them. (Tenants that a mark stops miss their
# target: hence "try".)
set time virtual
pool create jumbo,n=4096,size=9344,cache=0,ops=labyrinth_buddy,min_free_kbytes=0
set fwd noisy
set noisy hold 5ms
set noisy buffer 4096
set correlation gap 3
port attach wire:rx0,rxd=256,pool=jumbo,arrival=onoff:rate=340k,on=2ms,off=78ms,size=9000,flows=64
port start all

arm begin off
set zone min_free_kbytes 0
age try churn occupancy=0.97 orders=2:1
age churn-rate 1000
run 4s
arm end

arm begin on
set zone min_free_kbytes 22528
age try churn occupancy=0.97 orders=2:1
age churn-rate 1000
run 4s
arm end

arm compare off on a reserve of 22 MiB
show arms
report write
