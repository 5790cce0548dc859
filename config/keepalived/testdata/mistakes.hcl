# From keepalived's configuration of mistakes, by `quorate import keepalived`.

service "http" {
  address   = "10.0.0.5:80"
  scheduler = "wlc"
  forward   = "nat"

  server "10.0.0.6:80" { weight = 1 }
}
