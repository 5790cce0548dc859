schedular = "wlc"
virtual_server "old" {}
routers { }

sync_group "gateway" { routers = ["outside", "insid"] }
sync_group "other" { routers = ["outside"] }
sync_group "empty" { routers = [] }
sync_group "six" { routers = ["v6"] }
sync_group "global6" { routers = "global6" }

router "outside" {
  vrid      = 300
  interface = wan
  addresses = ["192.168.1.1/24", "2001:db8::1/64", "192.168.1.1/24", "192.168.1.0/24", "192.168.1.9"]
  interval  = "15ms"
}
router "outside" { vrid = "1" }
router "inside" {
  vrid      = "52"
  interface = "lan"
  addresses = []
  priority  = 100
}
router "twin" {
  vrid      = 7
  interface = "lan"
  addresses = ["192.168.2.3/24", "192.168.1.1/32", "lb.example.com"]
}
router "twin2" {
  vrid      = 7
  interface = "lan"
  addresses = ["192.168.2.4/24"]
  interval  = 1
}
router "v6" {
  vrid      = 7
  interface = "an interface with a long name"
  addresses = ["2001:db8::1/64"]
}
router "global6" {
  addresses { }
}
router {
  vrid = 9
}
router "one" "two" {
  vrid = 9
}

service "web" {
  address   = "192.168.1.1:80"
  schedular = "wlc"
  scheduler = "wcl"
  forward   = "DR"
  protocol  = "sctp"
  family    = "ipv4"
  mark      = 3
  persistence      = "10"
  persistence_mask = 33
  agreement = "most"

  check "http" {
    path     = "health"
    interval = 2
    timeout  = "1d"
    rise     = 0
    fall     = 1.5
    host     = "a b"
    status   = [200, 99, "ok", 200]
    insecure = true
  }
  check "https" {
    interval = "1s"
    timeout  = "2s"
    insecure = "yes"
    ca       = "/etc/ssl/ca.pem"
  }
  check "https" {
    ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    status = []
  }
  check "ping" { count = 3 }
  check "script" { command = ["check.sh"] }
  check "script" { command = "/bin/true" }
  check "script" {}
  check = "tcp"

  server "192.168.2.11:80" { weight = -1 }
  server "192.168.2.12:80" { weight = 70000 }
  server "192.168.2.11:80" {}
  server "web1.example.com:80" {}
  server "192.168.2.13:http" {}
  server "2001:db8::11:80" {}
  server "[2001:db8::11]:80" { inhibits = true }
  server "192.168.2.0/24" {}
  server "0.0.0.0:80" {}
  server "[::ffff:192.168.2.14]:80" {}
  fallback "192.168.2.250:80" { weight = 0 }
  fallback "192.168.2.251:80" {}
}

service "direct" {
  address = "192.168.1.1:80"
  forward = "direct"
  server "192.168.2.11:8080" {}
  server "[2001:db8::11]:80" {}
  server "[2001:db8::12]:80" { forward = "tunnel" }
}
service "same" {
  address = "192.168.1.1:80"
  server "192.168.2.11" {}
}
service "mark" {
  mark     = 1
  protocol = "tcp"
  check "tcp" {}
  server "192.168.2.11:80" {}
}
service "mark-again" {
  mark = 1
  server "192.168.2.11" {}
}
service "neither" {
  server "192.168.2.11" {}
}
service "every port" {
  address = "192.168.1.1"
  server "192.168.2.11" { weight = 1 + 1 }
  server "192.168.2.12" { weight = var.weight }
  server "192.168.2.13" { weight = null }
}
service "template" {
  address = "${var.address}:80"
  forward = ["nat"]
  server "192.168.2.11" {}
}
