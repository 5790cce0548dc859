# Who can own the service, and who should: the proxy must run, the uplink must be there, and a
# director that does not reach its database, or that somebody gave a number, comes later.

track "interface" "uplink" {
  interface  = "uplink"
  up_delay   = "5s"
  down_delay = "200ms"
}

track "process" "haproxy" { process = "haproxy" }

track "script" "database" {
  command  = ["/usr/local/bin/check-database"]
  interval = "2s"
  fall     = 3
}

track "file" "weight" { path = "/run/quorate/weight" }

router "service" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.168.1.1/24"]
  profile   = "fast"

  require "uplink" {}
  require "haproxy" {}
  prefer "database" { score = -60 }
  prefer "weight" { score = -1 }
}
