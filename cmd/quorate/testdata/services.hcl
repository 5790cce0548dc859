router "web" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.0.2.1/24"]
}

service "web" {
  address   = "192.0.2.1:80"
  scheduler = "rr"
  forward   = "nat"
  server "198.51.100.11:80" {}
}
