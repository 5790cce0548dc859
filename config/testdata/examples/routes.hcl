# Routes and rules that move with the addresses: what comes from the servers leaves by the uplink of
# whoever owns, by a table of its own.

router "uplink" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.168.1.1/24"]
  excluded  = ["192.168.1.2/24", "2001:db8:1::1/64"] # these move too, and are in no advertisement

  route "0.0.0.0/0" {
    via    = "192.168.1.254"
    source = "192.168.1.1"
    table  = 100
  }
  route "10.66.0.0/16" { type = "blackhole" }

  rule {
    priority = 1000
    from     = "192.168.2.0/24"
    table    = 100
  }
}
