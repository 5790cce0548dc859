# From keepalived's configuration of lb1 and lb2, by `quorate import keepalived`.
# The agent file of lb1 needs interfaces { outside = "eth0" }.
# The agent file of lb2 needs interfaces { outside = "ens3" }.

sync_group "gateway" {
  routers = ["outside", "inside"]

  placement "score" { hold = "3s" }
  director "lb1" { score = 150 }
  director "lb2" { score = 100 }
  prefer "haproxy" { score = -60 }

  hook "notify-owner" {
    on      = ["owner"]
    command = ["/usr/local/bin/tell", "GROUP", "gateway", "MASTER", "0"]
    user    = "monitor"
  }

  hook "notify-standby" {
    on      = ["standby"]
    command = ["/usr/local/bin/tell", "GROUP", "gateway", "BACKUP", "0"]
    user    = "monitor"
  }

  hook "notify-fault" {
    on      = ["fault"]
    command = ["/usr/local/bin/tell", "GROUP", "gateway", "FAULT", "0"]
    user    = "monitor"
  }

  hook "notify-stop" {
    on      = ["stop"]
    command = ["/usr/local/bin/tell", "GROUP", "gateway", "STOP", "0"]
    user    = "monitor"
  }
}

router "outside" {
  vrid      = 51
  interface = "outside"
  addresses = ["192.0.2.1/24"]
  unicast   = true
}

router "inside" {
  vrid      = 52
  interface = "eth1"
  addresses = ["198.51.100.1/24"]
}

track "script" "haproxy" {
  command  = ["/usr/bin/pgrep", "-x", "haproxy"]
  user     = "monitor"
  interval = "2s"
  rise     = 2
  fall     = 3
}

service "http" {
  address   = "192.0.2.1:80"
  scheduler = "wrr"
  forward   = "nat"

  check "http" {
    path     = "/health"
    status   = [200]
    interval = "2s"
    timeout  = "1s"
    rise     = 1
    fall     = 3
  }

  server "198.51.100.21:80" { weight = 1 }
  server "198.51.100.22:80" { weight = 3 }
  fallback "198.51.100.250:80" {}
}
