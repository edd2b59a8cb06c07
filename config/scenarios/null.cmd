# Two ports of any kind, forwarding for a while: the smoke test. For example
#   labyrinth --no-huge -m 256 --no-shconf -l 0,1 --vdev net_null0 --vdev net_null1 --
#       --cmdline-file config/scenarios/null.cmd
# Ports that were not given are made.
port attach net_null_a
port attach net_null_b
port start all
set record-core-cycles on
set record-burst-stats on
set fwd io
run 200ms
set fwd macswap
run 200ms
show port stats all
show ledger
show sampler
