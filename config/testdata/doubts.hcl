track "script" "slow" {
  command  = ["/usr/local/bin/slow"]
  interval = "2s"
  timeout  = "5s"
}

router "outside" {
  vrid      = 1
  interface = "wan"
  addresses = ["192.0.2.1/24"]
  require "slow" {}
}

router "inside" {
  vrid      = 2
  interface = "lan"
  addresses = ["10.1.0.1/24"]
  require "slow" {}
}

sync_group "pair" {
  routers = ["other", "another"]
  require "slow" { reverse = true }
}

router "other" {
  vrid      = 3
  interface = "wan"
  addresses = ["198.51.100.1/24"]
}

router "another" {
  vrid      = 4
  interface = "lan"
  addresses = ["10.2.0.1/24"]
  require "slow" {}
}

service "no-way-back" {
  address = "192.0.2.1:80"
  server "172.16.0.1" {}
}

service "two-owners" {
  address   = "192.0.2.1:81"
  scheduler = "rr"
  server "10.1.0.11" {}
  server "10.1.0.12" { weight = 2 }
}

service "together" {
  address = "198.51.100.1:80"
  server "10.2.0.11" { weight = 0 }
  server "10.2.0.12" { weight = 0 }
}

service "direct" {
  address = "192.0.2.1:443"
  forward = "direct"
  check "http" {}
  check "https" { port = 80 }
  server "172.16.0.1" {}
  server "10.1.0.1" {}
  fallback "172.16.0.1" {}
}
