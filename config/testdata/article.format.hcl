sync_group "gateway" {
  routers = ["outside", "inside"]
}

router "inside" {
  vrid      = 52
  interface = "lan"
  addresses = ["192.168.2.1/24"]
}

router "outside" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.168.1.1/24"]
}

service "database" {
  address   = "192.168.1.1:5432"
  scheduler = "sh"
  forward   = "nat"
  agreement = "all"

  check "script" {
    command  = ["/usr/local/bin/check-database", "--primary"]
    user     = "nobody"
    interval = "5s"
    timeout  = "3s"
    rise     = 1
    fall     = 3
  }

  server "192.168.2.11:5432" { weight = 1 }
  server "192.168.2.12:5432" {
    weight  = 1
    inhibit = true
  }
}

service "mail" {
  address   = "192.168.1.1:25"
  scheduler = "rr"
  forward   = "nat"

  check "smtp" {
    host     = "lb.example.com"
    interval = "10s"
    timeout  = "5s"
  }

  server "192.168.2.11:25" { weight = 1 }
}

service "tls" {
  address     = "192.168.1.1:443"
  scheduler   = "wlc"
  forward     = "nat"
  persistence = "5m"

  check "tcp" {
    interval = "2s"
    timeout  = "1s"
  }

  check "https" {
    path     = "/"
    host     = "www.example.com"
    status   = [200, 204]
    body     = "ok"
    insecure = true
    interval = "2s"
    timeout  = "1s"
  }

  server "192.168.2.11:443" { weight = 1 }
  server "192.168.2.12:8443" {
    weight  = 3
    inhibit = true
  }
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
