# From keepalived's configuration of services, by `quorate import keepalived`.

service "farm" {
  for_each         = ["10.0.0.10", "10.0.0.11", "10.0.0.12", "10.0.0.13"]
  address          = endpoint(each.value, 80)
  scheduler        = "rr"
  forward          = "direct"
  persistence      = "6m"
  persistence_mask = 24

  check "https" {
    path     = "/a"
    host     = "www.example.com"
    port     = 443
    status   = concat(range(200, 300), [301])
    insecure = true
    interval = "10s"
    timeout  = "5s"
    rise     = 1
  }

  check "https" {
    path     = "/b"
    host     = "b.example.com"
    port     = 443
    status   = concat(range(200, 300), [304], range(400, 411))
    body     = "hello"
    insecure = true
    interval = "10s"
    timeout  = "5s"
    rise     = 1
  }

  server "10.1.0.1:80" {
    weight  = 1
    inhibit = true
  }
  server "10.1.0.2:80" { weight = 1 }
}

service "farm" {
  for_each         = ["10.0.1.0", "10.0.1.1", "10.0.1.2", "10.0.1.3"]
  address          = endpoint(each.value, 443)
  scheduler        = "rr"
  forward          = "direct"
  persistence      = "6m"
  persistence_mask = 24

  check "https" {
    path     = "/a"
    host     = "www.example.com"
    status   = concat(range(200, 300), [301])
    insecure = true
    interval = "10s"
    timeout  = "5s"
    rise     = 1
  }

  check "https" {
    path     = "/b"
    host     = "b.example.com"
    status   = concat(range(200, 300), [304], range(400, 411))
    body     = "hello"
    insecure = true
    interval = "10s"
    timeout  = "5s"
    rise     = 1
  }

  server "10.1.0.1:443" {
    weight  = 1
    inhibit = true
  }
  server "10.1.0.2:443" { weight = 1 }
}

service "farm-mark-7" {
  mark             = 7
  scheduler        = "rr"
  forward          = "direct"
  persistence      = "6m"
  persistence_mask = 24

  check "https" {
    path     = "/a"
    host     = "www.example.com"
    port     = 443
    status   = concat(range(200, 300), [301])
    insecure = true
    interval = "10s"
    timeout  = "5s"
    rise     = 1
  }

  check "https" {
    path     = "/b"
    host     = "b.example.com"
    port     = 443
    status   = concat(range(200, 300), [304], range(400, 411))
    body     = "hello"
    insecure = true
    interval = "10s"
    timeout  = "5s"
    rise     = 1
  }

  server "10.1.0.1" {
    weight  = 1
    inhibit = true
  }
  server "10.1.0.2" { weight = 1 }
}

service "smtp" {
  address   = "10.0.2.1:25"
  scheduler = "wlc"
  forward   = "nat"

  check "smtp" {
    host     = "lb.example.com"
    port     = 2525
    interval = "15s"
    timeout  = "5s"
    rise     = 1
    fall     = 4
  }

  server "10.1.0.3:25" { weight = 65535 }
  server "10.1.0.5:25" {
    weight  = 1
    forward = "direct"
  }
  fallback "10.1.0.250:25" { forward = "tunnel" }
}

service "10.0.2.2" {
  address     = "10.0.2.2"
  protocol    = "udp"
  scheduler   = "wlc"
  forward     = "nat"
  persistence = "6m"

  server "10.1.0.6" { weight = 0 }
}

service "dns" {
  address   = "10.0.2.3:53"
  protocol  = "udp"
  scheduler = "wlc"
  forward   = "nat"

  check "script" {
    command  = ["/bin/sh", "-c", "/usr/local/bin/dns \"$QUORATE_SERVER_ADDRESS\" 53 'a b'; test $? -ne 1"]
    user     = "monitor"
    interval = "5s"
    timeout  = "5s"
    rise     = 1
    fall     = 1
  }

  server "10.1.0.7:53" { weight = 1 }
  server "10.1.0.8:53" { weight = 1 }
}

service "names" {
  address   = "10.0.2.3:53"
  scheduler = "wlc"
  forward   = "nat"

  check "tcp" {
    interval = "5s"
    timeout  = "5s"
    rise     = 1
  }

  server "10.1.0.7:53" { weight = 1 }
  server "10.1.0.8:53" { weight = 1 }
  server "10.1.0.9:53" { weight = 1 }
}

service "http" {
  address   = "[fd00::80]:80"
  scheduler = "wlc"
  forward   = "nat"

  check "http" {
    path     = "/"
    status   = [200]
    interval = "5s"
    timeout  = "5s"
    rise     = 1
  }

  server "[fd00:1::1]:80" { weight = 1 }
}

service "mark-9" {
  mark      = 9
  scheduler = "wlc"
  forward   = "nat"

  server "10.1.0.1" { weight = 1 }
}
