# From ldirectord's configuration "f", by `quorate import ldirectord`.

service "http" {
  address   = "192.168.1.1:80"
  scheduler = "wrr"
  forward   = "nat"

  check "http" {
    path     = "/"
    port     = 80
    interval = "10s"
    timeout  = "3s"
    rise     = 1
    fall     = 1
  }

  server "192.168.2.11:8080" { weight = 65535 }
}

service "tcp-82" {
  address     = "192.168.1.1:82"
  scheduler   = "wrr"
  forward     = "direct"
  persistence = "1m"

  check "tcp" {
    interval = "10s"
    timeout  = "10s"
    rise     = 1
    fall     = 1
  }

  server "192.168.2.11:82" { weight = 1 }
}

service "mark-6" {
  mark      = 6
  scheduler = "wrr"
  forward   = "nat"

  check "tcp" {
    port     = 7
    interval = "10s"
    timeout  = "10s"
    rise     = 1
    fall     = 1
  }

  server "192.168.2.11" { weight = 1 }
}

service "mark-7" {
  mark      = 7
  scheduler = "wrr"
  forward   = "direct"

  check "http" {
    path     = "/"
    port     = 80
    interval = "10s"
    timeout  = "10s"
    rise     = 1
    fall     = 1
  }

  server "192.168.2.11" { weight = 1 }
}

service "mark-8" {
  mark      = 8
  scheduler = "wrr"
  forward   = "direct"

  server "192.168.2.11" { weight = 1 }
}

service "tcp-83" {
  address   = "192.168.1.1:83"
  scheduler = "wrr"
  forward   = "nat"

  check "script" {
    command  = ["/bin/sh", "-c", "exec /usr/local/bin/check 192.168.1.1 83 \"$QUORATE_SERVER_ADDRESS\" \"$QUORATE_SERVER_PORT\""]
    user     = "root"
    interval = "10s"
    timeout  = "10s"
    rise     = 1
    fall     = 1
  }

  server "192.168.2.11:83" { weight = 1 }
  server "192.168.2.12:83" {
    weight  = 1
    forward = "direct"
  }
  fallback "192.168.2.250:83" {}
}

service "tcp-90" {
  address   = "192.168.1.1:90"
  scheduler = "wrr"
  forward   = "direct"

  server "192.168.2.11:90" { weight = 0 }
  fallback "192.168.2.250:90" {}
}

service "tcp-91" {
  address   = "192.168.1.1:91"
  scheduler = "wrr"
  forward   = "tunnel"

  check "tcp" {
    port     = 92
    interval = "10s"
    timeout  = "10s"
    rise     = 1
    fall     = 1
  }

  server "192.168.2.11:91" {
    weight  = 1
    inhibit = true
  }
}
