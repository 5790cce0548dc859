track "interface" "uplink" { interface = "wan" }
track "script" "db" { command = ["/bin/db"] }

sync_group "gateway" {
  routers = ["outside", "inside"]
  placement "score" {}
  director "lb1" { score = 100 }
  require "uplink" {}
  prefer "db" { score = -60 }
}

router "outside" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.168.1.1/24"]
  auth "hmac" {}
  route "10.0.0.0/8" { via = "192.168.1.254" }
  rule {
    priority = 100
    from     = "10.0.0.0/8"
    table    = 100
  }
  hook "a" { command = ["/bin/a"] }
  hook "b" { command = ["/bin/b"] }
}
router "inside" {
  vrid      = 52
  interface = "lan"
  addresses = ["192.168.2.1/24"]
  version   = 2
  auth "password" { key = "s3cr3t" }
}
