# IPv4 and IPv6 on one segment, by two routers that move together. Hosts have fe80::51 as their
# IPv6 gateway.

sync_group "service" { routers = ["service4", "service6"] }

router "service4" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.0.2.1/24"]
}

router "service6" {
  vrid      = 51
  interface = "wan"
  addresses = ["fe80::51/64", "2001:db8::1/64"]
}
