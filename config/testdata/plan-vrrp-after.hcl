track "file" "uplink" {
  path    = "/run/uplink"
  missing = 1
}
track "script" "db" {
  command = ["/bin/db"]
  fall    = 3
}

sync_group "gateway" {
  routers        = ["outside", "inside"]
  on_quorum_loss = "drop"
  placement "pinned" { directors = ["lb2"] }
  director "lb1" { score = 150 }
  director "lb2" { score = 100 }
  prefer "db" {
    score   = -60
    reverse = true
  }
  require "uplink" {}
}

router "outside" {
  vrid        = 51
  interface   = "wan"
  addresses   = ["192.168.1.1/24"]
  excluded    = ["2001:db8::1/64"]
  interval    = "100ms"
  virtual_mac = true
  preempt     = false
  refresh     = "0s"
  peer "192.168.1.9" {}
  auth "hmac" { key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" }
  route "10.0.0.0/8" {
    via    = "192.168.1.254"
    metric = 10
  }
  rule {
    priority = 200
    family   = "ipv6"
    mark     = 1
    table    = 100
  }
  hook "b" { command = ["/bin/b"] }
  hook "a" {
    command = ["/bin/a", "again"]
    on      = ["owner"]
  }
}
router "inside" {
  vrid      = 52
  interface = "lan"
  addresses = ["192.168.2.1/24"]
  auth "hmac" { key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" }
}
