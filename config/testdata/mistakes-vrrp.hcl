track "interface" "uplink" { interface = "wan" }
track "script" "db" {
  command  = ["check-db"]
  interval = "1ms"
  timeout  = "0s"
  rise     = 0
  path     = "/run/db"
}
track "file" "weight" {
  path          = "run/weight"
  missing       = 5
  missing_fails = true
}
track "process" "haproxy" {
  process      = "/usr/sbin/haproxy"
  at_least     = 3
  at_most      = 2
}
track "process" "both" {
  process      = "haproxy"
  command_line = ["/usr/sbin/haproxy", "-Ws"]
}
track "process" "empty" { command_line = [] }
track "process" "none" {}
track "ping" "gateway" { address = "192.0.2.254" }
track "file" "no path" {}
track "script" {}
track "interface" "uplink" { interface = "lan" }

sync_group "pair" {
  routers = ["v2", "owner2"]
  prefer "uplnk" { score = 254 }
}
sync_group "owners" {
  routers = ["owner", "owner3"]
  require "db" { score = 3 }
}

router "v2" {
  vrid             = 1
  interface        = "vrrp4.1.eth0"
  addresses        = ["192.168.1.1/24"]
  profile          = "fast"
  version          = 2
  checksum         = "plain"
  excluded         = ["192.168.1.1/24", "10.0.0.0/8", "10.0.0.9"]
  refresh          = "-1s"
  preempt          = false
  preempt_delay    = "2h"
  peer "192.168.1.9" { min_ttl = 64 }
  peer "192.168.1.9" {}
  peer "2001:db8::9" {}
  peer "224.0.0.18" {}
  peer "192.168.1.1" {}
  peer "router.example.com" {}
  peer "192.168.1.9:112" {}
  auth "password" {
    key    = "more than eight"
    key_id = 1
  }
  auth "hmac" {}
  require "uplink" {}
  require "uplink" { reverse = true }
  require "upling" {}
  prefer "db" {}
  prefer "weight" { score = 0 }
  prefer "db" { score = 1 }
}

router "v6" {
  vrid             = 2
  interface        = "wan"
  addresses        = ["fe80::2/64"]
  version          = 2
  interval         = "1500ms"
  checksum         = "plane"
  strict_addresses = true
  auth "hmac" {
    key_id       = 256
    key          = "0f0f"
    other_key_id = 0
    other_key    = "0e"
  }
}
router "v3" {
  vrid             = 3
  interface        = "wan"
  addresses        = ["192.168.3.1/24"]
  version          = 4
  strict_addresses = true
  interval         = "5ms"
  refresh          = "100ms"
  auth "password" { key = "pässword" }
}
router "plain6" {
  vrid      = 4
  interface = "wan"
  addresses = ["fe80::4/64"]
  checksum  = "plain"
  auth "pass" { key = "x" }
  auth "hmac" { key = "" }
}
router "owner" {
  vrid          = 5
  interface     = "wan"
  addresses     = ["192.168.5.1/24"]
  address_owner = "lb 1"
  preempt       = false
}
router "owner2" {
  vrid          = 6
  interface     = "wan"
  addresses     = ["192.168.6.1/24"]
  address_owner = "lb1"
}
router "owner3" {
  vrid          = 7
  interface     = "wan"
  addresses     = ["192.168.7.1/24"]
  address_owner = "lb2"
}

router "paths" {
  vrid      = 8
  interface = "wan"
  addresses = ["192.168.8.1/24"]

  route "default" { via = "192.168.8.254" }
  route "10.0.0.0/8" { via = "192.168.8.254" }
  route "10.0.0.0/8" { via = "192.168.8.253" }
  route "10.1.2.3/8" { via = "192.168.8.254/24" }
  route "10.1.2.3" { interface = "wan" }
  route "10.2.0.0/16" {}
  route "10.3.0.0/16" {
    type = "blackhole"
    via  = "192.168.8.254"
  }
  route "10.4.0.0/16" {
    type   = "black"
    source = "2001:db8::1"
    onlink = true
    table  = 0
    mtu    = 20
  }
  route "2001:db8:1::/48" { via = "192.168.8.254" }
  route "2001:db8:2::/48" {
    via = "fe80::1"
    mtu = 576
  }
  route "2001:db8:3::/48" {
    via    = "2001:db8::1"
    onlink = true
  }
  rule { from = "10.0.0.0/8" }
  rule {
    priority = 100
    from     = "10.0.0.0/8"
    to       = "2001:db8::/32"
    tos      = 3
  }
  rule {
    priority = 101
    family   = "ipv6"
    from     = "10.0.0.0/8"
    mark     = 3
    mask     = 2
    in       = "an interface with a long name"
  }
  rule {
    priority = 102
    type     = "prohibit"
    table    = 100
    tos      = 32
    to       = "10.0.0.1/8"
  }
  rule {
    priority = 103
    table    = 100
    from     = "10.9.0.0/16"
  }
  rule {
    priority = 103
    table    = 100
    from     = "10.9.0.0/16"
  }
  rule "name" { priority = 1 }

  hook "dns" {
    command = ["update-dns"]
    on      = ["master", "owner", "owner"]
    timeout = "2h"
    user    = "a b"
  }
  hook "dns" { command = [] }
  hook "a b" { on = [] }
  notify_master = "/bin/true"
  require       = ["uplink"]
}
router "paths2" {
  vrid      = 9
  interface = "wan"
  addresses = ["192.168.9.1/24"]
  excluded  = ["192.168.8.1/24"]
  nopreempt = true
  profile   = "wan"
  route "10.0.0.0/8" { via = "192.168.9.254" }
}
