name     = "lb1"
data_dir = "/srv/quorate"
bind     = "[2001:db8::1]:7500"
gossip   = "192.0.2.1:7501"

socket        = "/run/q/q.sock"
socket_group  = "wheel"
keeper_socket = "/run/q/k.sock"

operator_group = "lb-operators"
admin_group    = "lb-admins"

role           = "witness"
prepare_host   = false
sync_interface = "lan"
heartbeat      = "1s"
liveness       = "200ms"
log_level      = "debug"

raise_level_after = "never"

interfaces {
  wan = "eth0"
  lan = "eth1.100"
}

join {
  address    = "192.0.2.2"
  token_file = "/etc/quorate/token"
}
