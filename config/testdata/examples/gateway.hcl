# Two segments that move together: clients come to 192.168.1.1, the servers' default gateway is
# 192.168.2.1. The director that has both needs both links.

track "interface" "outer" { interface = "wan" }
track "interface" "inner" { interface = "lan" }

sync_group "gateway" {
  routers = ["outside", "inside"]
  require "outer" {}
  require "inner" {}
}

router "outside" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.168.1.1/24"]
}

router "inside" {
  vrid      = 52
  interface = "lan"
  addresses = ["192.168.2.1/24"]
}
