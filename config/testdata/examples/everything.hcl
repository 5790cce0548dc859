# Every key of a router, a sync group and a track. Most stand there with another value than their
# default; leave them out until something asks for them. everything.json says the same.

sync_group "all" {
  routers        = ["new", "old"]
  on_quorum_loss = "yield"
  on_segment_cut = "one"
  placement "pinned" {
    directors = ["lb2", "lb1"]
    hold      = "30s"
  }
  director "lb1" { score = 150 }
  require "uplink" { reverse = false }
  prefer "weight" {
    score   = -1
    reverse = true
  }
  hook "first" {
    on      = ["owner", "fault"]
    command = ["/usr/local/bin/hook", "all"]
    user    = "quorate-hook"
    timeout = "1m"
  }
}

router "new" {
  vrid          = 51
  interface     = "wan"
  addresses     = ["192.168.1.1/24", "192.168.1.2/24"]
  excluded      = ["10.9.0.1/24", "2001:db8::1/64"]
  profile       = "fast"
  interval      = "250ms"
  version       = 3
  checksum      = "plain"
  virtual_mac   = true
  address_owner = "lb1"
  preempt       = true
  preempt_delay = "5s"
  refresh       = "30s"
  unicast       = true

  peer "192.168.1.9" { min_ttl = 254 }

  auth "hmac" {
    key_id = 7
    key    = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

    other_key_id = 6
    other_key    = "(kept)"
  }

  route "0.0.0.0/0" {
    via       = "192.168.1.254"
    interface = "wan"
    onlink    = true
    source    = "192.168.1.1"
    table     = 100
    metric    = 10
    mtu       = 1400
  }
  route "2001:db8:ff::/48" { type = "unreachable" }

  rule {
    priority = 1000
    from     = "192.168.2.0/24"
    to       = "0.0.0.0/0"
    in       = "lan"
    out      = "wan"
    mark     = 1
    mask     = 255
    tos      = 16
    table    = 100
  }
  rule {
    priority = 1001
    family   = "ipv6"
    mark     = 2
    type     = "prohibit"
  }
}

router "solo" {
  vrid           = 53
  interface      = "lan"
  addresses      = ["192.168.3.1/24"]
  on_quorum_loss = "drop"
  on_segment_cut = "one"
}

router "old" {
  vrid             = 52
  interface        = "lan"
  addresses        = ["192.168.2.1/24"]
  version          = 2
  interval         = "1s"
  preempt          = false
  refresh          = "0s"
  known_only       = true
  strict_addresses = true
  accept           = false
  auth "password" { key = "(kept)" }
  require "proxy" {}
  prefer "database" { score = 20 }
}

track "interface" "uplink" {
  interface  = "wan"
  up_delay   = "5s"
  down_delay = "200ms"
}
track "script" "database" {
  command  = ["/usr/local/bin/check-database", "--primary"]
  user     = "nobody"
  interval = "2s"
  timeout  = "1s"
  rise     = 2
  fall     = 3
}
track "file" "weight" {
  path     = "/run/quorate/weight"
  missing  = 10
  interval = "1s"
  rise     = 1
  fall     = 1
}
track "process" "proxy" {
  process    = "haproxy"
  at_least   = 2
  at_most    = 8
  interval   = "5s"
  up_delay   = "1s"
  down_delay = "100ms"
}
track "process" "worker" { command_line = ["/usr/sbin/haproxy", "-Ws"] }
track "file" "marker" {
  path          = "/run/quorate/marker"
  missing_fails = true
}
