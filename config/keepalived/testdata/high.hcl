# From keepalived's configuration of high, by `quorate import keepalived`.

# Priority 200 on high. Once those of the others are known: director "high" { score = 200 }
router "V" {
  vrid      = 7
  interface = "eth0"
  addresses = ["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24", "10.0.2.5/24", "10.0.3.6/24"]
  version   = 2

  hook "on-owner" {
    on      = ["owner"]
    command = ["/usr/local/bin/tell", "two words", "A", "#"]
    user    = "root"
  }

  hook "on-standby" {
    on      = ["standby"]
    command = ["/usr/local/bin/tell", "high"]
    user    = "monitor"
  }
}

service "dns" {
  address   = "10.9.9.9:53"
  protocol  = "udp"
  scheduler = "wlc"
  forward   = "nat"

  check "script" {
    command  = ["/etc/keepalived/testdata/parts/check"]
    user     = "root"
    interval = "5s"
    timeout  = "2s"
    rise     = 1
    fall     = 1
  }

  server "10.1.0.53:53" { weight = 1 }
}

service "http" {
  address   = "10.0.0.1:80"
  scheduler = "wlc"
  forward   = "nat"

  check "tcp" {
    interval = "3s"
    timeout  = "1s"
    rise     = 1
  }

  server "10.1.0.11:80" { weight = 2 }
  server "10.1.2.12:80" { weight = 2 }
  server "10.1.2.13:80" { weight = 2 }
}
