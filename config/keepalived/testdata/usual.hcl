# From keepalived's configuration of usual, by `quorate import keepalived`.

# Priority 100 on usual. Once those of the others are known: director "usual" { score = 100 }
router "V" {
  vrid      = 7
  interface = "eth0"
  addresses = ["192.0.2.1/24"]
  version   = 2
}

service "https" {
  address   = "192.0.2.1:443"
  scheduler = "wlc"
  forward   = "direct"

  check "http" {
    path     = "/"
    interval = "1m"
    timeout  = "5s"
    rise     = 1
  }

  server "198.51.100.1:443" { weight = 1 }
  fallback "198.51.100.9:8443" { forward = "nat" }
}

service "http" {
  address   = "192.0.2.1:80"
  scheduler = "wlc"
  forward   = "nat"

  check "script" {
    command  = ["/usr/local/bin/look"]
    user     = "monitor"
    interval = "5s"
    timeout  = "5s"
    rise     = 1
    fall     = 1
  }

  server "198.51.100.1:8000" { weight = 1 }
  server "198.51.100.2:8000" { weight = 1 }
  fallback "198.51.100.9:80" { forward = "tunnel" }
}
