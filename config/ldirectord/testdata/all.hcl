# From ldirectord's configuration "f", by `quorate import ldirectord`.

service "shop" {
  address          = "192.0.2.1:80"
  scheduler        = "wlc"
  forward          = "nat"
  persistence      = "10m"
  persistence_mask = 24

  check "http" {
    path     = "/health.html"
    host     = "shop.example.com"
    body     = "all is well"
    interval = "5s"
    timeout  = "3s"
    rise     = 1
  }

  server "198.51.100.11:8080" { weight = 2 }
  server "198.51.100.12:8080" { weight = 2 }
  server "198.51.100.13:8080" { weight = 2 }
  server "198.51.100.20:8080" { weight = 1 }
  fallback "127.0.0.1:80" { forward = "direct" }
}

service "https" {
  address   = "192.0.2.1:443"
  scheduler = "wrr"
  forward   = "direct"

  check "https" {
    path     = "/"
    port     = 8443
    insecure = true
    interval = "5s"
    timeout  = "3s"
    rise     = 1
  }

  server "198.51.100.11:443" { weight = 1 }
  server "198.51.100.12:443" {
    weight  = 3
    forward = "tunnel"
  }
  fallback "198.51.100.99:443" { forward = "nat" }
}

service "smtp" {
  address   = "192.0.2.1:25"
  scheduler = "wrr"
  forward   = "direct"

  check "smtp" {
    interval = "5s"
    timeout  = "3s"
    rise     = 1
  }

  server "198.51.100.25:25" {
    weight  = 1
    inhibit = true
  }
  fallback "127.0.0.1:25" {}
}

service "mysql" {
  address   = "192.0.2.1:3306"
  scheduler = "wlc"
  forward   = "direct"

  check "tcp" {
    interval = "5s"
    timeout  = "3s"
    rise     = 1
  }

  server "198.51.100.33:3306" { weight = 1 }
  fallback "127.0.0.1:3306" {}
}

service "dns" {
  address   = "192.0.2.1:53"
  protocol  = "udp"
  scheduler = "wrr"
  forward   = "direct"

  server "198.51.100.53:53" { weight = 1 }
  fallback "127.0.0.1:53" {}
}

service "tcp-9000" {
  address   = "192.0.2.1:9000"
  scheduler = "wrr"
  forward   = "direct"

  check "script" {
    command  = ["/bin/sh", "-c", "exec /usr/local/bin/check 192.0.2.1 9000 \"$QUORATE_SERVER_ADDRESS\" \"$QUORATE_SERVER_PORT\""]
    user     = "root"
    interval = "5s"
    timeout  = "3s"
    rise     = 1
  }

  server "198.51.100.90:9000" { weight = 1 }
  fallback "127.0.0.1:9000" {}
}

service "mark-7" {
  mark      = 7
  scheduler = "wrr"
  forward   = "direct"

  check "tcp" {
    port     = 80
    interval = "5s"
    timeout  = "3s"
    rise     = 1
  }

  server "198.51.100.70" { weight = 1 }
}

service "mark-8" {
  mark      = 8
  family    = "ipv6"
  scheduler = "wrr"
  forward   = "direct"

  server "[fd00::70]" { weight = 1 }
}

service "http" {
  address   = "[fd00::80]:80"
  scheduler = "wrr"
  forward   = "nat"

  check "tcp" {
    interval = "5s"
    timeout  = "3s"
    rise     = 1
  }

  server "[fd00:1::1]:80" { weight = 1 }
}
