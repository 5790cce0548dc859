# Two directors in front of two real servers: clients come to 192.168.1.1, the servers' default
# gateway is 192.168.2.1, and both addresses move together.

sync_group "gateway" { routers = ["outside", "inside"] }

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

service "web" {
  address   = "192.168.1.1:80"
  scheduler = "wlc"
  forward   = "nat"

  check "http" {
    path     = "/health"
    interval = "2s"
    timeout  = "1s"
  }

  server "192.168.2.11:80" { weight = 1 }
  server "192.168.2.12:80" { weight = 3 }
  fallback "192.168.2.250:80" {}
}

# The same for other protocols: one of each kind of check.

service "tls" {
  address     = "192.168.1.1:443"
  persistence = "300s"

  check "tcp" {}
  check "https" {
    host     = "www.example.com"
    status   = [200, 204]
    body     = "ok"
    insecure = true
  }

  server "192.168.2.11" {}
  server "192.168.2.12:8443" {
    weight  = 3
    inhibit = true
  }
}

service "mail" {
  address   = "192.168.1.1:25"
  scheduler = "rr"

  check "smtp" {
    host     = "lb.example.com"
    interval = "10s"
    timeout  = "5s"
  }

  server "192.168.2.11" {}
}

service "database" {
  address   = "192.168.1.1:5432"
  scheduler = "sh"
  agreement = "all"

  check "script" {
    command  = ["/usr/local/bin/check-database", "--primary"]
    user     = "nobody"
    interval = "5s"
    timeout  = "3s"
    rise     = 1
    fall     = 3
  }

  server "192.168.2.11" {}
  server "192.168.2.12" { inhibit = true }
}
