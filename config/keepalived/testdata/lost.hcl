# From keepalived's configuration of low, by `quorate import keepalived`.

# Priority 100 on low. Once those of the others are known: director "low" { score = 100 }
router "V" {
  vrid      = 7
  interface = "eth0"
  addresses = ["192.0.2.1/24"]
  version   = 2
}

service "http" {
  address   = "192.0.2.1:80"
  scheduler = "wlc"
  forward   = "nat"

  server "198.51.100.1:80" { weight = 1 }
  server "198.51.100.2:80" { weight = 1 }
  fallback "198.51.100.9:80" {}
}

service "mark-9" {
  mark      = 9
  scheduler = "wlc"
  forward   = "nat"

  server "198.51.100.1" { weight = 1 }
  server "198.51.100.2" {
    weight  = 1
    forward = "direct"
  }
  fallback "198.51.100.9" { forward = "direct" }
}
