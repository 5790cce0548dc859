# From keepalived's configuration of group, by `quorate import keepalived`.

# Priority 100 on group. Once those of the others are known: director "group" { score = 100 }
sync_group "g" {
  routers = ["a", "b"]

  placement "score" { hold = "3s" }
  prefer "both" { score = 9 }
}

router "a" {
  vrid      = 1
  interface = "eth0"
  addresses = ["192.0.2.1/24"]
  version   = 2

  prefer "all" { score = -30 }
}

router "b" {
  vrid      = 2
  interface = "eth1"
  addresses = ["198.51.100.1/24"]
  version   = 2
}

track "script" "all" {
  command = ["/usr/local/bin/all"]
  user    = "root"
}

track "script" "both" {
  command = ["/usr/local/bin/both"]
  user    = "root"
}
