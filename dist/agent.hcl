# The agent file of one director: what differs from host to host. Services, routers and checks are in the
# cluster file, which `quorate apply` gives to all directors at once.

# The name of this director in the cluster. The default is the short host name.
# name = "lb1"

# The address of this host that the other directors reach. Ports are 7400/tcp, and 7401/tcp and udp.
bind = "192.0.2.1"

# What the cluster file calls the interfaces, and what this host calls them.
interfaces {
  wan = "eth0"
  lan = "eth1"
}

# A witness votes and observes, and never owns an address.
# role = "witness"

# data_dir = "/var/lib/quorate"
# socket   = "/run/quorate/quorate.sock"

# Joins a cluster unattended. `quorate token create` on a member makes the token.
# join {
#   address    = "192.0.2.2"
#   token_file = "/etc/quorate/token"
# }
